import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { NotConnectedError } from '../../helper/contract/client.ts';
import { BastionError } from '../../helper/contract/errors.ts';
import type { ErrorCode } from '../../helper/contract/errors.ts';
import { BUS_NAME, INTERFACES, OBJECT_PATH } from '../../helper/contract/names.ts';
import { Variant } from '../../helper/contract/transport.ts';
import type { BusConnection } from '../../helper/contract/transport.ts';
import { CALL_LIMITS } from '../../helper/service/limits.ts';
import { MemoryEngine, promptView } from '../contract/memory-engine.ts';
import { LOCAL, STRANGER, ServiceRig, cannotServe } from '../contract/service-rig.ts';
import { nextEvent, whenConnected } from '../contract/waiting.ts';
import { until } from '../integration/support.ts';
import { ROOT } from '../lab/process.ts';
import { callWithMissingDescriptor, helloRaw, helperCall } from './hostile-bytes.ts';

const run = promisify(execFile);
const FLOOD_MS = process.env['BASTION_TEST_SIZE'] === 'full' ? 10_000 : 3000;
/** The flood goes on for so long, unless it is ended before. */
const FLOOD_LIMIT_MS = 60_000;
/** Calls that are served while it goes on: behind what the flood has in the queue there would be one or two. */
const SERVED = 5;
const TEXT_BYTES = 16 * 1024 * 1024;
const helper = { destination: BUS_NAME, path: OBJECT_PATH, interface: INTERFACES.helper };

function refusedWith(code: ErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof BastionError && error.code === code;
}

function wireError(code: ErrorCode): { readonly errorName: string } {
  return { errorName: `org.bastionfirewall.Error.${code}` };
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Bytes of buffers that are still in use. */
function keptBytes(): number {
  collectGarbage();
  return process.memoryUsage().arrayBuffers;
}

/** A promise and the way to fulfil it. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/** Registers busctl as an agent, started by `prefix`; is it verified? */
async function busctlIsVerified(rig: ServiceRig, prefix: readonly string[]): Promise<boolean> {
  const words = [
    ...prefix, 'busctl', `--address=${rig.address}`, '--json=short', 'call', BUS_NAME, OBJECT_PATH, INTERFACES.prompts, 'RegisterAgent',
    'a{sv}', '0',
  ];
  const { stdout } = await run('env', words);
  return stdout.includes('"verified":{"type":"b","data":true}');
}

describe('security: the helper on the bus', { skip: cannotServe(), timeout: 300_000 }, () => {
  let rig: ServiceRig;
  before(async () => {
    rig = await ServiceRig.start();
    rig.service?.close();
  });
  after(() => rig.close());
  beforeEach(async () => {
    rig.engine = new MemoryEngine();
    rig.lost = null;
    rig.log.length = 0;
    await rig.serve();
  });
  afterEach(() => {
    rig.disconnectAll();
    rig.service?.close();
  });

  /** The service lives, and still serves. */
  async function stillServes(): Promise<void> {
    await rig.clientAs(LOCAL.uid).ping();
    assert.equal(rig.lost, null);
  }

  test('a message with a file descriptor that was never sent changes nothing', async () => {
    const socket = rig.socketAs(STRANGER.uid);
    await helloRaw(socket);
    for (const member of ['Ping', 'SetMode', 'NoSuchMethod']) socket.write(callWithMissingDescriptor(member));
    await stillServes();
  });

  test('a text of 16 MB is refused without being kept', async () => {
    const socket = rig.socketAs(STRANGER.uid);
    await helloRaw(socket);
    const before = keptBytes();
    const replied = once(socket, 'data');
    socket.write(helperCall('SetLogLevel', 's', ['x'.repeat(TEXT_BYTES)]));
    await replied;
    await stillServes();
    while (rig.service?.counters().oversized !== 1) await stillServes();
    await until('what the text took to be free', () => Promise.resolve(keptBytes() - before < TEXT_BYTES ? true : null));
  });

  test('arguments longer than a method takes are refused before anybody is asked', async () => {
    const bus = await rig.connectAs(0);
    const long = bus.call({ ...helper, member: 'SetLogLevel', signature: 's', body: ['x'.repeat(200_000)] });
    await assert.rejects(long, wireError('InvalidArgument'));
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`key${String(index)}`, new Variant('u', 1)]));
    const wide = bus.call({ ...helper, interface: INTERFACES.rules, member: 'Add', signature: 'a{sv}', body: [many] });
    await assert.rejects(wide, wireError('InvalidArgument'));
    const strange = bus.call({
      ...helper, interface: INTERFACES.rules, member: 'Add', signature: 'a{sv}', body: [{ command: new Variant('s', 'rm') }],
    });
    await assert.rejects(strange, wireError('InvalidArgument'));
    const mistyped = bus.call({
      ...helper, interface: INTERFACES.rules, member: 'Add', signature: 'a{sv}', body: [{ action: new Variant('u', 1) }],
    });
    await assert.rejects(mistyped, wireError('InvalidArgument'));
    assert.deepEqual(rig.engine.done, []);
  });

  test('no property can be set, by nobody', async () => {
    for (const uid of [STRANGER.uid, 0]) {
      const bus = await rig.connectAs(uid);
      for (const name of ['Mode', 'State', 'Version', 'NoSuchProperty']) {
        const set = bus.call({
          ...helper, interface: 'org.freedesktop.DBus.Properties', member: 'Set', signature: 'ssv',
          body: [INTERFACES.helper, name, new Variant('s', 'learning')],
        });
        await assert.rejects(set, { errorName: 'org.freedesktop.DBus.Error.PropertyReadOnly' });
      }
    }
    assert.equal(rig.engine.mode, 'enforcing');
  });

  test('unknown objects, interfaces and methods are refused, the names of object members among them', async () => {
    const bus = await rig.connectAs(0);
    const { unknownObject, unknownInterface, unknownMethod } = {
      unknownObject: { errorName: 'org.freedesktop.DBus.Error.UnknownObject' },
      unknownInterface: { errorName: 'org.freedesktop.DBus.Error.UnknownInterface' },
      unknownMethod: { errorName: 'org.freedesktop.DBus.Error.UnknownMethod' },
    };
    await assert.rejects(bus.call({ ...helper, path: '/etc/passwd', member: 'Ping' }), unknownObject);
    await assert.rejects(bus.call({ ...helper, interface: 'a.b', member: 'Ping' }), unknownInterface);
    for (const member of ['constructor', 'toString', 'hasOwnProperty', '__proto__', 'ping']) {
      await assert.rejects(bus.call({ ...helper, member }), unknownMethod, member);
    }
  });

  test('a failure inside tells its words to the journal and not to the caller', async () => {
    rig.engine.setMode = () => Promise.reject(new Error('secret: /etc/bastion/rules.d/10-admin.toml'));
    const client = rig.clientAs(0);
    await assert.rejects(client.setMode('learning'), (error) =>
      error instanceof BastionError && error.code === 'Failed' && !error.message.includes('secret'));
    assert.ok(rig.log.some((line) => String(line.fields['why']).includes('secret')));
  });

  test('a caller that leaves while polkit is asked has nothing carried out', async () => {
    const asked = gate();
    const answer = gate();
    const { authority } = rig;
    rig.authority = {
      isAuthorized: async () => {
        asked.open();
        await answer.opened;
        return true;
      },
    };
    try {
      const bus = await rig.connectAs(LOCAL.uid);
      const call = bus.call({ ...helper, member: 'SetMode', signature: 'sa{sv}', body: ['learning', {}] });
      call.catch(() => undefined);
      await asked.opened;
      const watcher = await rig.connectAs(0);
      await watcher.addMatch(`type='signal',member='NameOwnerChanged',arg0='${bus.uniqueName}'`);
      const gone = new Promise<void>((resolve) => {
        watcher.onSignal((signal) => {
          if (signal.member === 'NameOwnerChanged') resolve();
        });
      });
      bus.close();
      await gone;
      // The bus told the service of it before it hands this on.
      await watcher.call({ ...helper, interface: 'org.freedesktop.DBus.Peer', member: 'Ping' });
      answer.open();
      await assert.rejects(call);
      // A caller that stays is served, with the same answer of polkit: the one before was not.
      await rig.clientAs(LOCAL.uid).pause(5);
      assert.deepEqual(rig.engine.done, ['pause 5000']);
    } finally {
      rig.authority = authority;
    }
  });

  test('polkit that says nothing, throws or has gone means no', async () => {
    const { authority } = rig;
    try {
      rig.authority = { isAuthorized: () => Promise.reject(new Error('no polkit')) };
      await assert.rejects(rig.clientAs(0).setMode('learning'));
      rig.authority = { isAuthorized: () => Promise.resolve(false) };
      await assert.rejects(rig.clientAs(0).setMode('learning'), refusedWith('NotAuthorized'));
      assert.deepEqual(rig.engine.done, []);
    } finally {
      rig.authority = authority;
    }
  });

  test('one connection has at most 64 calls waiting and 16 at polkit; more are Busy, and another is served', async () => {
    const { authority } = rig;
    const answer = gate();
    rig.authority = {
      isAuthorized: async (subject, ...rest) => {
        if (subject === flooder.uniqueName) await answer.opened;
        return authority.isAuthorized(subject, ...rest);
      },
    };
    const flooder = await rig.connectAs(LOCAL.uid);
    try {
      let busy = 0;
      const allCame = gate();
      const calls = Array.from({ length: 40 }, async () => {
        const one = await outcome(flooder.call({ ...helper, member: 'Ping' }));
        if (one.endsWith('.Busy')) busy += 1;
        if (busy === 40 - CALL_LIMITS.askingPerSender) allCame.open();
        return one;
      });
      await allCame.opened;
      await rig.clientAs(LOCAL.uid).ping();
      answer.open();
      const outcomes = await Promise.all(calls);
      assert.equal(outcomes.filter((one) => one === 'done').length, CALL_LIMITS.askingPerSender);
      assert.equal(outcomes.filter((one) => one.endsWith('.Busy')).length, 40 - CALL_LIMITS.askingPerSender);
    } finally {
      rig.authority = authority;
    }
    await assertWaitingLimit(rig);
  });

  test('while one sender floods, others are served, and the service stays up', async (context) => {
    const child = spawn(process.execPath, [
      join(ROOT, 'test/security/flood.ts'), rig.address.slice('unix:path='.length), String(STRANGER.uid), String(FLOOD_LIMIT_MS),
    ], { stdio: ['ignore', 'pipe', 'inherit'] });
    const sent: string[] = [];
    child.stdout.setEncoding('utf8').on('data', (text: string) => sent.push(text));
    const ended = once(child, 'close');
    await once(child.stdout, 'data');
    const client = rig.clientAs(LOCAL.uid, { timeoutMs: 30_000 });
    await whenConnected(client);
    const waitsMs: number[] = [];
    for (const endMs = performance.now() + FLOOD_MS; performance.now() < endMs || waitsMs.length < SERVED;) {
      const startMs = performance.now();
      await client.ping();
      waitsMs.push(performance.now() - startMs);
    }
    assert.equal(child.exitCode, null, 'the flood went on all the time');
    child.kill('SIGTERM');
    await ended;
    const messages = Number(sent.join('').replace('begun\n', ''));
    context.diagnostic(`${String(messages)} messages sent, ${String(waitsMs.length)} honest calls, slowest ${Math.max(...waitsMs).toFixed(0)} ms`);
    assert.ok(messages > 1000, 'the flood was none');
    assert.deepEqual(rig.engine.done, []);
    await stillServes();
  });

  test('signals that somebody else sends are not believed, by the client or by the service', async () => {
    const agent = rig.clientAs(LOCAL.uid);
    await agent.registerAgent();
    const seen: string[] = [];
    agent.on('promptRaised', ({ nonce }) => seen.push(nonce));
    agent.on('connected', (there) => seen.push(`connected ${String(there)}`));
    const forger = await rig.connectAs(STRANGER.uid);
    const names = await everyConnection(forger);
    const nothing = { path: OBJECT_PATH, interface: INTERFACES.prompts, member: 'PromptWithdrawn', signature: 'ss', body: ['real', 'answered'] };
    for (const destination of names) {
      forger.signal({ ...nothing, destination });
      for (const name of [BUS_NAME, ...names]) {
        forger.signal({
          destination, path: '/org/freedesktop/DBus', interface: 'org.freedesktop.DBus', member: 'NameOwnerChanged', signature: 'sss',
          body: [name, name, ''],
        });
      }
      forger.signal({
        destination, path: '/org/freedesktop/DBus', interface: 'org.freedesktop.DBus', member: 'NameLost', signature: 's', body: [BUS_NAME],
      });
    }
    await assert.rejects(forger.call({ ...helper, member: 'Ping' }), wireError('NotAuthorized'));
    const raised = nextEvent(agent, 'promptRaised');
    rig.engine.raise(promptView('real', LOCAL.uid));
    await raised;
    assert.deepEqual(seen, ['real']);
    assert.equal(rig.lost, null);
    assert.equal(rig.service?.counters().agents, 1);
  });

  test('an agent is verified by its root-owned executable, and not from a mount namespace of its own', async () => {
    assert.equal(await busctlIsVerified(rig, []), false);
    rig.service?.close();
    await rig.serve(['/usr/bin/busctl']);
    assert.equal(await busctlIsVerified(rig, []), true);
    assert.equal(await busctlIsVerified(rig, ['unshare', '--mount', '--']), false);
    assert.equal(await busctlIsVerified(rig, ['unshare', '--user', '--map-root-user', '--']).catch(() => false), false);
  });

  test('a client without a helper says so, instead of starting or waiting for one', async () => {
    rig.service?.close();
    await assert.rejects(rig.clientAs(LOCAL.uid).ping(), NotConnectedError);
  });
});

/** 'done', or the name of the error. */
async function outcome(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'done';
  } catch (error: unknown) {
    return error instanceof Error && 'errorName' in error ? String(error.errorName) : String(error);
  }
}

async function everyConnection(bus: BusConnection): Promise<readonly string[]> {
  const [names] = await bus.callBus('ListNames');
  return (Array.isArray(names) ? names.map(String) : []).filter((name) => name.startsWith(':') && name !== bus.uniqueName);
}

/** Calls that run for long: the 65th of one connection is Busy, and there is room again when they end. */
async function assertWaitingLimit(rig: ServiceRig): Promise<void> {
  const end = gate();
  const bus = await rig.connectAs(0);
  const calls: Promise<string>[] = [];
  for (let index = 0; index < CALL_LIMITS.waitingPerSender; index += 1) {
    const started = gate();
    rig.engine.setMode = async () => {
      started.open();
      await end.opened;
    };
    calls.push(outcome(bus.call({ ...helper, member: 'SetMode', signature: 'sa{sv}', body: ['learning', {}] })));
    await started.opened;
  }
  assert.equal(await outcome(bus.call({ ...helper, member: 'Ping' })), 'org.bastionfirewall.Error.Busy');
  await rig.clientAs(LOCAL.uid).ping();
  end.open();
  assert.deepEqual(new Set(await Promise.all(calls)), new Set(['done']));
  assert.equal(await outcome(bus.call({ ...helper, member: 'Ping' })), 'done');
}
