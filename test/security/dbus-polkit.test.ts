/** The real service, the real polkit, and a person who says yes, says no, says nothing, or leaves. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { polkitAuthority } from '../../helper/adapters/polkit.ts';
import { Variant, connectBus } from '../../helper/contract/transport.ts';
import type { BusConnection } from '../../helper/contract/transport.ts';
import type { Authority, Logger } from '../../helper/ports.ts';
import { MemoryEngine } from '../contract/memory-engine.ts';
import { LOCAL, ServiceRig, cannotServe } from '../contract/service-rig.ts';
import { FULL_SIZE } from '../integration/support.ts';
import { ROOT, within } from '../lab/process.ts';
import { mustHold } from '../must-hold.ts';

const LIMIT_MS = 20_000;
/** A quarter of them each of the four ways not to say yes. */
const REFUSALS = FULL_SIZE ? 10_000 : 100;
/** Each that is met with silence takes as long. */
const SILENCE_MS = 100;
const REFUSALS_LIMIT_MS = FULL_SIZE ? 1_800_000 : 120_000;
/** What a caller who has left is told by his own side. */
const DISCONNECTED = 'org.freedesktop.DBus.Error.Disconnected';
const FAILED = 'org.bastionfirewall.Error.Failed';
const NOT_AUTHORIZED = 'org.bastionfirewall.Error.NotAuthorized';

describe('security: a person and polkit', { skip: cannotServe(), timeout: 300_000 + REFUSALS_LIMIT_MS }, () => {
  let rig: ServiceRig;
  const people = new Set<ChildProcess>();
  before(async () => {
    rig = await ServiceRig.start();
    rig.service?.close();
  });
  after(() => rig.close());
  beforeEach(async () => {
    rig.engine = new MemoryEngine();
    await rig.serve();
  });
  afterEach(() => {
    for (const child of people) child.kill('SIGKILL');
    people.clear();
    rig.disconnectAll();
    rig.service?.close();
  });

  function authorityWith(asking: BusConnection, dialogMs: number, warned: (why: unknown) => void = () => undefined): Authority {
    const logger: Logger = { log: (_level, _message, fields) => { warned(fields?.['why']); }, setLevel: () => undefined };
    return polkitAuthority(asking, { connect: () => connectBus({ address: rig.address }), logger, dialogMs });
  }

  /** Starts a person who calls; `tells` waits for a line that begins so, read once, and gives the rest of it. */
  function person(call: 'learning' | 'rule', how: 'ask' | 'quiet' | number): {
    readonly tells: (what: string) => Promise<readonly string[]>;
    readonly told: readonly string[];
    readonly say: (line: string) => void;
  } {
    const become = ['--reuid', String(LOCAL.uid), '--regid', String(LOCAL.uid), '--clear-groups', '--'];
    const child = spawn('setpriv', [
      ...become, process.execPath, join(ROOT, 'test/security/polkit-person.ts'), rig.address, call, String(how),
    ], { stdio: ['pipe', 'pipe', 'inherit'] });
    people.add(child);
    const lines = createInterface({ input: child.stdout });
    const told: string[] = [];
    const unread: string[][] = [];
    lines.on('line', (line) => {
      const words = (JSON.parse(line) as unknown[]).map(String);
      told.push(words[0] ?? '');
      unread.push(words);
    });
    const next = async (what: string): Promise<readonly string[]> => {
      for (;;) {
        // Others stay: the dialog may go before the call is answered, or after it.
        const at = unread.findIndex(([word]) => word === what);
        if (at >= 0) return unread.splice(at, 1).flat().slice(1);
        await once(lines, 'line');
      }
    };
    return {
      told,
      tells: (what) => within(next(what), typeof how === 'number' ? REFUSALS_LIMIT_MS : LIMIT_MS, () => `waited for '${what}', had ${told.join(', ')}`),
      say: (line) => void child.stdin.write(`${line}\n`),
    };
  }

  /** What a session's agent does when the right password was typed. */
  async function approve(cookie: string): Promise<void> {
    const bus = await rig.connectAs(0);
    await bus.call({
      destination: 'org.freedesktop.PolicyKit1', path: '/org/freedesktop/PolicyKit1/Authority',
      interface: 'org.freedesktop.PolicyKit1.Authority', member: 'AuthenticationAgentResponse2', signature: 'us(sa{sv})',
      body: [LOCAL.uid, cookie, ['unix-user', { uid: new Variant('u', 0) }]],
    });
  }

  test('says yes: the call is carried out once, as it was when it was made, and the dialog says what it is', async () => {
    const { tells, say } = person('rule', 'ask');
    const [action, message, cookie] = await tells('dialog');
    assert.equal(action, 'org.bastionfirewall.helper1.edit-rules');
    assert.match(message ?? '', /add deny \/usr\/bin\/env no-env/);
    assert.deepEqual(rig.engine.done, []);
    await approve(cookie ?? '');
    say('answered');
    assert.deepEqual(await tells('result'), ['done']);
    assert.deepEqual(rig.engine.done, ['add no-env']);
    assert.deepEqual([rig.engine.rows.get('no-env')?.action, rig.engine.rows.get('no-env')?.path], ['deny', '/usr/bin/env']);
  });

  test('says no: nothing is carried out, and the caller is told', async () => {
    const { tells, say } = person('learning', 'ask');
    await tells('dialog');
    say('answered');
    assert.deepEqual(await tells('result'), [NOT_AUTHORIZED]);
    assert.deepEqual(rig.engine.done, []);
  });

  test('is not asked by a call without the flag', async () => {
    const { tells, told } = person('learning', 'quiet');
    assert.deepEqual(await tells('result'), [NOT_AUTHORIZED]);
    assert.ok(!told.includes('dialog'));
    assert.deepEqual(rig.engine.done, []);
  });

  test('says nothing: at the end of the time nothing is carried out, the dialog goes, and a late yes changes nothing', async () => {
    const asking = await connectBus({ address: rig.address });
    const { authority } = rig;
    rig.authority = authorityWith(asking, 1000);
    try {
      const { tells, say } = person('learning', 'ask');
      const [, , cookie] = await tells('dialog');
      assert.deepEqual(await tells('result'), [NOT_AUTHORIZED]);
      assert.deepEqual(await tells('cancelled'), [cookie]);
      await approve(cookie ?? '').catch(() => undefined);
      say('answered');
      // Nor does it let anybody in later.
      assert.deepEqual(await person('learning', 'quiet').tells('result'), [NOT_AUTHORIZED]);
      assert.deepEqual(rig.engine.done, []);
    } finally {
      rig.authority = authority;
      asking.close();
    }
  });

  test('is being asked when polkit is killed: the call is refused with the reason, and the next one is asked about again', async () => {
    const { tells } = person('learning', 'ask');
    await tells('dialog');
    await rig.polkit?.stopPolkit('SIGKILL');
    assert.deepEqual(await tells('result'), [FAILED]);
    assert.deepEqual(rig.engine.done, []);
    await assert.rejects(rig.clientAs(LOCAL.uid).ping(), /polkit did not answer, so nobody can be authorized/u);
    await rig.polkit?.startPolkit();
    await rig.clientAs(LOCAL.uid).ping();
    const again = person('learning', 'ask');
    const [, , cookie] = await again.tells('dialog');
    await approve(cookie ?? '');
    again.say('answered');
    assert.deepEqual(await again.tells('result'), ['done']);
  });

  test(`refuses, closes the dialog, leaves, is silent, ${String(REFUSALS)} times: nothing is carried out, and nothing is left of it`, { timeout: REFUSALS_LIMIT_MS }, async () => {
    const asking = await connectBus({ address: rig.address });
    const { authority } = rig;
    const whys = new Set<unknown>();
    let carriedOut: number;
    let withoutDialog: number;
    rig.authority = authorityWith(asking, SILENCE_MS, (why) => { whys.add(why); });
    try {
      const [counts = ''] = await person('learning', REFUSALS).tells('counts');
      const told = Object.entries(JSON.parse(counts) as Record<string, number>);
      assert.equal(told.reduce((sum, [, times]) => sum + times, 0), REFUSALS);
      // On a busy machine the time may be over before a dialog is there, or before the caller has left, or polkit answer nobody.
      const right = ['refuses', 'closes', 'leaves', 'is silent', 'without a dialog'].flatMap((way) => [`${way}: ${NOT_AUTHORIZED}`, `${way}: ${FAILED}`]);
      assert.deepEqual(told.map(([outcome]) => outcome).filter((outcome) => ![...right, `leaves: ${DISCONNECTED}`].includes(outcome)), [], [...whys].join('\n'));
      for (const way of ['refuses', 'closes', 'leaves', 'is silent']) assert.ok(counts.includes(`"${way}: `), `${way}: ${counts}`);
      withoutDialog = told.filter(([outcome]) => outcome.startsWith('without a dialog')).reduce((sum, [, times]) => sum + times, 0);
      carriedOut = rig.engine.done.length;
      assert.equal(carriedOut, 0, rig.engine.done.join(', '));
    } finally {
      rig.authority = authority;
      asking.close();
    }
    // The next one is asked, and his yes counts.
    const { tells, say } = person('learning', 'ask');
    const [, , cookie] = await tells('dialog');
    await approve(cookie ?? '');
    say('answered');
    assert.deepEqual(await tells('result'), ['done']);
    mustHold({
      id: 'polkit-refusals', claim: 'A person who refuses, closes the dialog, leaves while it is open, or says nothing: the call is not carried out',
      size: `${String(REFUSALS)} calls, a quarter of them each`, undecided: null, figures: [`carried out: ${String(carriedOut)}; ${String(withoutDialog)} were refused before there was a dialog`],
    });
  });

  test('leaves: the dialog goes with the caller, and a yes given just then carries nothing out', async () => {
    const { tells, say } = person('learning', 'ask');
    const [, , cookie] = await tells('dialog');
    say('leave');
    assert.deepEqual(await tells('cancelled'), [cookie]);
    await approve(cookie ?? '').catch(() => undefined);
    say('answered');
    await rig.clientAs(LOCAL.uid).ping();
    assert.deepEqual(rig.engine.done, []);
  });
});
