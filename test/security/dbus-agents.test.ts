/** Agents that are not what they say, and answers that are not what they seem. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { BastionError } from '../../helper/contract/errors.ts';
import type { ErrorCode } from '../../helper/contract/errors.ts';
import { BUS_NAME, INTERFACES, OBJECT_PATH } from '../../helper/contract/names.ts';
import { Variant } from '../../helper/contract/transport.ts';
import { REGISTRATION_LIMITS } from '../../helper/service/agents.ts';
import { isRootOwned, takesForeignCode } from '../../helper/service/trust.ts';
import { MemoryEngine, promptView } from '../contract/memory-engine.ts';
import { LOCAL, STRANGER, ServiceRig, cannotServe } from '../contract/service-rig.ts';
import { ROOT } from '../lab/process.ts';

const FAR_AWAY_MS = Date.now() + 365 * 86_400_000;

function refusedWith(code: ErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof BastionError && error.code === code;
}

describe('security: answers', { skip: cannotServe(), timeout: 300_000 }, () => {
  let rig: ServiceRig;
  before(async () => {
    rig = await ServiceRig.start();
    rig.service?.close();
  });
  after(() => rig.close());
  beforeEach(async () => {
    rig.engine = new MemoryEngine();
    rig.log.length = 0;
    await rig.serve();
  });
  afterEach(() => {
    rig.disconnectAll();
    rig.service?.close();
  });

  test('an answer with an end and without a lifetime costs what a lasting one costs', async () => {
    rig.engine.raise(promptView('n1', LOCAL.uid, { default_lifetime: 'once' }));
    const client = rig.clientAs(LOCAL.uid);
    await assert.rejects(client.answer('n1', { action: 'allow', until_ms: FAR_AWAY_MS, scope: 'any' }), refusedWith('NotAuthorized'));
    await assert.rejects(client.answer('n1', { action: 'allow', lifetime: 'until', until_ms: FAR_AWAY_MS }), refusedWith('NotAuthorized'));
    await assert.rejects(client.answer('n1', { action: 'allow', lifetime: 'always' }), refusedWith('NotAuthorized'));
    assert.deepEqual(rig.engine.answers, []);
  });

  test('an answer that leaves the lifetime open is carried out with the one that was authorized, though the prompt expires meanwhile', async () => {
    const { authority } = rig;
    rig.engine.raise(promptView('n1', LOCAL.uid, { default_lifetime: 'once' }));
    rig.authority = {
      isAuthorized: (...question) => {
        // What an expired prompt proposes outlives the program.
        rig.engine.change(promptView('n1', LOCAL.uid, { status: 'expired', default_lifetime: 'boot', default_scope: 'any' }));
        return authority.isAuthorized(...question);
      },
    };
    try {
      await rig.clientAs(LOCAL.uid).answer('n1', { action: 'allow' });
    } finally {
      rig.authority = authority;
    }
    assert.deepEqual(rig.engine.answers, [{ nonce: 'n1', answer: { action: 'allow', lifetime: 'once', scope: 'host' } }]);
  });

  test('a nonce is good once, and one that was guessed is as good as none', async () => {
    rig.engine.raise(promptView('n1', LOCAL.uid));
    const [first, second] = [rig.clientAs(LOCAL.uid), rig.clientAs(LOCAL.uid)];
    const once1 = { action: 'allow', lifetime: 'once' } as const;
    const outcomes = await Promise.allSettled([first.answer('n1', once1), second.answer('n1', { ...once1, action: 'deny' })]);
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
    assert.equal(rig.engine.answers.length, 1);
    for (const nonce of ['n1', 'n2', '', '0'.repeat(32)]) await assert.rejects(first.answer(nonce, once1), refusedWith('PromptGone'));
  });

  test('another user’s prompt, and one of a system user, are answered by an administrator only', async () => {
    rig.engine.raise(promptView('theirs', 1000));
    rig.engine.raise(promptView('system', 33));
    const client = rig.clientAs(LOCAL.uid);
    for (const nonce of ['theirs', 'system']) {
      for (const action of ['allow', 'deny'] as const) {
        await assert.rejects(client.answer(nonce, { action, lifetime: 'once' }), refusedWith('NotAuthorized'));
      }
    }
    assert.deepEqual((await client.listPrompts(10, '')).rows, []);
    await assert.rejects(rig.clientAs(STRANGER.uid).listPrompts(10, ''), refusedWith('NotAuthorized'));
  });

  test('an agent that comes and goes is stopped, what it wrote to the journal is bounded, and another user still registers', async () => {
    const bus = await rig.connectAs(LOCAL.uid);
    const prompts = { destination: BUS_NAME, path: OBJECT_PATH, interface: INTERFACES.prompts };
    let registered = 0;
    for (let index = 0; index < 3 * REGISTRATION_LIMITS.perUid; index += 1) {
      const done = await bus.call({ ...prompts, member: 'RegisterAgent', signature: 'a{sv}', body: [{ name: new Variant('s', 'x') }] })
        .then(() => true, () => false);
      if (done) await bus.call({ ...prompts, member: 'UnregisterAgent' });
      registered += Number(done);
    }
    assert.equal(registered, REGISTRATION_LIMITS.perUid);
    assert.equal(rig.log.filter((line) => line.message === 'an agent registered').length, registered);
    await rig.clientAs(0).registerAgent();
  });
});

/** A folder below root's own tree: what lies there could only have been put there by root. */
const scripts = join(ROOT, 'build', 'test');

describe('security: the package’s own agent', {
  skip: cannotServe() || (!isRootOwned(ROOT) && 'needs a tree that only root can write'), timeout: 300_000,
}, () => {
  let rig: ServiceRig;
  let folder = '';
  let script = '';
  before(async () => {
    mkdirSync(scripts, { recursive: true });
    folder = mkdtempSync(join(scripts, 'agent-'));
    chmodSync(folder, 0o755);
    script = join(folder, 'main.mjs');
    writeFileSync(script, registering());
    writeFileSync(join(folder, 'other.mjs'), registering());
    symlinkSync(script, join(folder, 'link.mjs'));
    rig = await ServiceRig.start();
    rig.service?.close();
    await rig.serve([process.execPath, script]);
  });
  after(async () => {
    await rig.close();
    rmSync(folder, { recursive: true });
  });

  /** A program that registers, prints whether it was verified, and ends. */
  function registering(): string {
    const from = JSON.stringify(join(ROOT, 'helper/contract/client.ts'));
    return `import { connectHelper } from ${from};
const client = connectHelper({ address: process.env.BASTION_BUS, interactive: false });
const { verified } = await client.registerAgent();
console.log('verified', verified);
client.close();
`;
  }

  async function isVerified(args: readonly string[], env: Record<string, string> = {}): Promise<boolean> {
    const child = spawn(process.execPath, args, {
      cwd: folder, env: { PATH: process.env['PATH'] ?? '', BASTION_BUS: rig.address, ...env }, stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    await once(child, 'close');
    const found = /^verified (true|false)$/mu.exec(output)?.[1];
    assert.notEqual(found, undefined, `${args.join(' ')} did not register`);
    return found === 'true';
  }

  test('is verified when the package’s runtime runs the package’s script, whatever its arguments', async () => {
    assert.equal(await isVerified([script]), true);
    assert.equal(await isVerified([script, '--background'], { NODE_ENV: 'production', LANG: 'C.UTF-8' }), true);
  });

  test('is not verified as another script, by a link, by a relative path, with options or as text', async () => {
    assert.equal(await isVerified([join(folder, 'other.mjs')]), false);
    assert.equal(await isVerified([join(folder, 'link.mjs')]), false);
    assert.equal(await isVerified(['main.mjs']), false);
    assert.equal(await isVerified([`${folder}/../${folder.slice(scripts.length + 1)}/main.mjs`]), false);
    assert.equal(await isVerified(['--no-warnings', script]), false);
    assert.equal(await isVerified(['--import', join(folder, 'other.mjs'), script]).catch(() => false), false);
    assert.equal(await isVerified(['--input-type=module', '-e', registering(), script]), false);
    assert.equal(await isVerified(['--input-type=module', '-e', registering(), '--', script]), false);
  });

  test('is not verified with an environment that brings code of others in', async () => {
    for (const env of [
      { NODE_OPTIONS: '--no-warnings' }, { NODE_PATH: '/tmp' }, { NODE_COMPILE_CACHE: join(folder, 'cache') }, { LD_LIBRARY_PATH: '/tmp' },
      { LD_PRELOAD: '' }, { LD_AUDIT: '' }, { GI_TYPELIB_PATH: '/tmp' }, { GIO_EXTRA_MODULES: '/tmp' }, { OPENSSL_CONF: '/dev/null' },
    ] as readonly Record<string, string>[]) {
      assert.equal(await isVerified([script], env), false, JSON.stringify(env));
    }
  });

  test('takesForeignCode: looks at names only, and at whole ones', () => {
    assert.equal(takesForeignCode('A=1\0LD_PRELOAD=/tmp/x.so\0'), true);
    assert.equal(takesForeignCode('LD_PRELOAD'), false);
    assert.equal(takesForeignCode('MY_LD_PRELOAD=x\0NOTE=LD_PRELOAD=x\0=x\0'), false);
  });
});
