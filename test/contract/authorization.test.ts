/** Every member of the contract, called or listened to by everybody who could, against the table of what each of them gets. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { INTERFACES, BUS_NAME, OBJECT_PATH } from '../../helper/contract/names.ts';
import { connectBus } from '../../helper/contract/transport.ts';
import type { BusConnection, IncomingMessage } from '../../helper/contract/transport.ts';
import { clientOf, copyInto, noLab, promptFor, until } from '../integration/support.ts';
import { Lab } from '../lab/lab.ts';
import { ROOT } from '../lab/process.ts';
import { RULES, callMethod, listen, outcome, readProperty, setProperty, shortName } from './authorization-calls.ts';
import type { AuthorizationTable, Column } from './authorization-calls.ts';
import { contractXml, declaredMembers } from './contract-xml.ts';

/** `active`: as polkit's defaults treat the user of an active local session; `user` and `other` have none. */
const CALLERS: Readonly<Record<Column, number>> = { other: 1, user: 65_534, active: 5, root: 0 };
const ACTIVE_RULES = `polkit.addRule(function (action, subject) {
  var granted = ["view", "register-agent", "answer"];
  if (subject.user === "games" && granted.indexOf(action.id.replace("org.bastionfirewall.helper1.", "")) >= 0) return polkit.Result.YES;
});
`;
const SYSTEM_USER = ['setpriv', '--reuid', '1', '--regid', '1', '--clear-groups', '--'];

describe('authorization on the real helper', { skip: noLab() || (process.geteuid?.() !== 0 && 'needs root'), timeout: 300_000 }, () => {
  let lab: Lab;
  const connections: BusConnection[] = [];
  const table = JSON.parse(readFileSync(join(ROOT, 'test/contract/authorization.json'), 'utf8')) as AuthorizationTable;

  before(async () => {
    lab = await Lab.create({ polkit: 'strict', rules: RULES });
    const watcher = await connectAs('root');
    const reloaded = new Promise<void>((resolve) => {
      watcher.onSignal((signal) => {
        if (signal.interface === 'org.freedesktop.PolicyKit1.Authority') resolve();
      });
    });
    await watcher.addMatch("type='signal',interface='org.freedesktop.PolicyKit1.Authority',member='Changed'");
    writeFileSync(join(lab.folder, 'bus', 'rules.d', '50-active.rules'), ACTIVE_RULES);
    await reloaded;
  });
  after(async () => {
    for (const bus of connections) bus.close();
    await lab.dispose();
  });

  async function connectAs(caller: Column): Promise<BusConnection> {
    process.seteuid?.(CALLERS[caller]);
    const stream = connect({ path: lab.busAddress.slice('unix:path='.length) });
    process.seteuid?.(0);
    const bus = await connectBus({ stream });
    connections.push(bus);
    return bus;
  }

  test('each method gives each caller what the table says, and none is missing in it', async () => {
    const client = clientOf(lab);
    const held = lab.run(['curl', '--silent', '--max-time', '30', `http://${lab.peer4}/`]);
    const prompt = await until('a prompt', async () => (await client.listPrompts(1, '')).rows[0] ?? null);
    await lab.run(['curl', '--silent', '--max-time', '20', 'http://192.0.2.9/']);
    const flow = await until('a flow', async () => (await client.queryFlows({}, 1, '')).rows[0]?.id ?? null);
    const declared = declaredMembers(contractXml()).filter(({ kind }) => kind === 'method');
    // A pause would answer the prompt, and off end it.
    const first = declared.filter((one) => one.interface === INTERFACES.prompts);
    const rest = declared.filter((one) => one.interface !== INTERFACES.prompts);
    const found: Record<string, Record<string, string>> = {};
    for (const members of [first, rest]) {
      for (const caller of ['other', 'user', 'active', 'root'] as const) {
        const bus = await connectAs(caller);
        for (const member of members) (found[shortName(member)] ??= {})[caller] = await callMethod(bus, member, { nonce: prompt.nonce, flow });
      }
    }
    client.close();
    await held;
    assert.deepEqual(found, table.methods);
  });

  test('each property is read by those who may see the state, and set by nobody', async () => {
    const found: Record<string, Record<string, string>> = {};
    const properties = declaredMembers(contractXml()).filter(({ kind }) => kind === 'property');
    for (const caller of ['other', 'user', 'active', 'root'] as const) {
      const bus = await connectAs(caller);
      for (const property of properties) {
        const short = shortName(property);
        (found[short] ??= {})[caller] = await readProperty(bus, property);
        assert.equal(await setProperty(bus, property), 'PropertyReadOnly', `${short} by ${caller}`);
      }
    }
    assert.deepEqual(found, table.properties);
  });

  test('whoever may not see the state hears nothing of it, whatever match rules he adds', async () => {
    const heard: Record<string, string[]> = { other: [], user: [], active: [] };
    for (const caller of ['other', 'user', 'active'] as const) {
      const bus = await connectAs(caller);
      bus.onSignal((signal: IncomingMessage) => {
        if (signal.path === OBJECT_PATH) heard[caller]?.push(`${signal.member} ${JSON.stringify(signal.body(), (_key, part: unknown) => (typeof part === 'bigint' ? Number(part) : part))}`);
      });
      await bus.addMatch(`type='signal',sender='${BUS_NAME}'`);
      await bus.addMatch(`type='signal',path='${OBJECT_PATH}'`);
      await outcome(bus, INTERFACES.helper, 'Ping', '', []);
    }
    const root = clientOf(lab);
    await root.setMode('learning');
    await root.setMode('enforcing');
    await until('the news of the mode', () => Promise.resolve(heard['active']?.some((line) => line.includes('enforcing')) === true ? true : null));
    const held = lab.run(['curl', '--silent', '--max-time', '30', `http://${lab.peer4}/`]);
    const prompt = await until('a prompt', async () => (await root.listPrompts(1, '')).rows.find((row) => row.status === 'pending') ?? null);
    await root.answer(prompt.nonce, { action: 'deny', lifetime: 'once', scope: 'host' });
    await held;
    root.close();
    assert.deepEqual([heard['other'], heard['user']], [[], []]);
    assert.ok(heard['active']?.every((line) => !line.startsWith('Prompt') && !line.startsWith('Flows')));
  });

  test('each signal reaches whom the table names, whatever the others ask for and match', async (t) => {
    const declared = declaredMembers(contractXml()).filter(({ kind }) => kind === 'signal').map(shortName);
    const heard: Record<string, ReadonlySet<string>> = {};
    const buses: BusConnection[] = [];
    for (const caller of ['other', 'user', 'active', 'root'] as const) {
      const bus = await connectAs(caller);
      buses.push(bus);
      heard[caller] = await listen(bus);
    }
    const root = clientOf(lab);
    t.after(() => { root.close(); });
    await root.addRule({ id: 'told', action: 'deny', address: '192.0.2.3' });
    await root.setMode('learning');
    await root.setMode('enforcing');
    const stranger = copyInto(lab, '/usr/bin/curl', 'stranger');
    // A system user's: root's agent is asked.
    const held = lab.run([...SYSTEM_USER, stranger, '--silent', '--max-time', '30', `http://${lab.peer4}/`], { as: 'root' });
    const { nonce } = await promptFor(root, stranger);
    await root.answer(nonce, { action: 'deny', lifetime: 'once', scope: 'host' });
    await held;
    const link = await lab.run(['ip', 'link', 'add', 'name', 'told0', 'type', 'veth', 'peer', 'name', 'told1'], { as: 'root' });
    assert.equal(link.status, 0, link.stderr);
    for (const bus of buses) await outcome(bus, INTERFACES.applications, 'RehashAll', '', []);
    await until('every signal', () => Promise.resolve(heard['root']?.size === declared.length ? true : null)).catch(() => undefined);
    // What was sent before this answer has its place before it in everybody's queue of the bus.
    await root.ping();
    for (const bus of buses) await bus.callBus('GetId');
    const found = Object.fromEntries(declared.map((name) => [name, Object.fromEntries(
      Object.entries(heard).map(([caller, names]) => [caller, names.has(name) ? 'heard' : 'nothing']),
    )]));
    assert.deepEqual(found, table.signals);
  });
});
