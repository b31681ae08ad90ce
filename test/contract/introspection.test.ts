import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { ACTIONS, BUS_NAME, INTERFACES, OBJECT_PATH } from '../../helper/contract/names.ts';
import * as types from '../../helper/contract/types.ts';
import { requirementOf } from '../../helper/service/authorize.ts';
import { ROOT } from '../lab/process.ts';
import { BUS_EXAMPLES } from '../../tools/dbus/examples.ts';
import { contractXml, declaredMembers, documentedDictionaries } from './contract-xml.ts';
import { ServiceRig, cannotServe } from './service-rig.ts';

const run = promisify(execFile);
const STANDARD = 'org.freedesktop.DBus.';

interface Declared {
  readonly signature: string;
  readonly keys: Readonly<Record<string, { readonly optional: boolean; readonly type: { readonly signature: string } }>>;
}

function isDictionary(entry: readonly [string, unknown]): entry is readonly [string, Declared] {
  const [, value] = entry;
  return typeof value === 'object' && value !== null && !Array.isArray(value) && 'keys' in value;
}

/** As `busctl introspect` prints them: NAME TYPE SIGNATURE RESULT, '-' for none. */
async function busctlMembers(address: string): Promise<readonly string[]> {
  const { stdout: output } = await run('busctl', [
    `--address=${address}`, '--no-pager', '--no-legend', 'introspect', BUS_NAME, OBJECT_PATH,
  ]);
  const lines: string[] = [];
  let current = '';
  for (const line of output.split('\n')) {
    const [name = '', kind = '', signature = '', result = ''] = line.split(/\s+/u);
    if (kind === 'interface') current = name;
    else if (kind !== '') lines.push(`${current}${name} ${kind} ${signature} ${kind === 'method' ? result : '-'}`);
  }
  return lines.sort();
}

test('contract: every dictionary key is documented with its type, since when, and whether it may be absent', () => {
  const documented = documentedDictionaries(contractXml());
  const exported: readonly (readonly [string, unknown])[] = Object.entries(types);
  const declared = exported.filter(isDictionary);
  assert.ok(declared.length > 10);
  assert.deepEqual([...documented.keys()].sort(), declared.map(([name]) => name).sort());
  for (const [name, { keys }] of declared) {
    const expected = Object.entries(keys).map(([key, { type, optional }]) => [key, { signature: type.signature, since: '3.0', optional }]);
    const said = [...documented.get(name) ?? []].map(([key, { signature, since, optional }]) => [key, { signature, since, optional }]);
    assert.deepEqual(Object.fromEntries(said), Object.fromEntries(expected), name);
  }
});

test('contract: every method has a polkit action or is known to need none', () => {
  const methods = declaredMembers(contractXml()).filter((member) => member.kind === 'method');
  assert.ok(methods.length > 20);
  for (const { interface: interfaceName, name } of methods) {
    const requirement = requirementOf(interfaceName, name);
    assert.notEqual(requirement, null, `${interfaceName}.${name}`);
    if (requirement !== 'public') continue;
    const harmless = interfaceName.startsWith(STANDARD) || name === 'UnregisterAgent' || name === 'Unsubscribe';
    assert.ok(harmless, `${interfaceName}.${name} needs an action`);
  }
});

test('contract: the documentation of a method names the action that it costs', () => {
  const xml = contractXml();
  for (const { interface: interfaceName, name, kind } of declaredMembers(xml)) {
    const requirement = requirementOf(interfaceName, name);
    if (kind !== 'method' || interfaceName.startsWith(STANDARD) || requirement === null) continue;
    const start = xml.indexOf(`<interface name="${interfaceName}"`);
    const comment = new RegExp(`<!--\\s*${name}: ([\\s\\S]*?)-->`, 'u').exec(xml.slice(start))?.[1] ?? '';
    const word = requirement === 'public' ? 'No action' : `ction ${requirement.slice(requirement.lastIndexOf('.') + 1)}`;
    assert.ok(comment.includes(word), `${name}: '${word}' is not in its documentation`);
    assert.match(comment, /Since 3\.0/u, name);
  }
});

test('contract: the polkit policy declares exactly the actions of the contract', () => {
  const policy = readFileSync(join(ROOT, 'data/polkit/org.bastionfirewall.helper1.policy'), 'utf8');
  const declared = [...policy.matchAll(/<action id="([^"]+)">/gu)].map((match) => match[1]);
  assert.deepEqual(declared.sort(), Object.values(ACTIONS).sort());
});

describe('contract: the running service', { skip: cannotServe() }, () => {
  let rig: ServiceRig;
  before(async () => {
    rig = await ServiceRig.start();
  });
  after(() => rig.close());

  test('is introspected by busctl exactly as the contract says, member by member', async () => {
    const declared = declaredMembers(contractXml()).map(({ interface: interfaceName, name, kind, signature, result }) =>
      `${interfaceName}.${name} ${kind} ${signature === '' ? '-' : signature} ${kind === 'method' && result !== '' ? result : '-'}`);
    assert.deepEqual(await busctlMembers(rig.address), [...declared].sort());
  });

  test('answers each declared property, and GetAll with exactly those', async () => {
    const bus = await rig.connectAs(0);
    for (const name of Object.values(INTERFACES)) {
      const properties = declaredMembers(contractXml()).filter((one) => one.interface === name && one.kind === 'property');
      const [all] = await bus.call({
        destination: BUS_NAME, path: OBJECT_PATH, interface: `${STANDARD}Properties`, member: 'GetAll', signature: 's', body: [name],
      });
      const found = Object.entries(all as Record<string, { signature: string }>).map(([key, value]) => [key, value.signature]);
      assert.deepEqual(Object.fromEntries(found), Object.fromEntries(properties.map((one) => [one.name, one.signature])));
    }
  });

  test('serves every declared method: none is answered with an unknown name', async () => {
    const bus = await rig.connectAs(0);
    for (const { interface: interfaceName, name, kind, signature } of declaredMembers(contractXml())) {
      if (kind !== 'method') continue;
      const wrong = signature === 'd' ? 'u' : 'd';
      const refused = bus.call({
        destination: BUS_NAME, path: OBJECT_PATH, interface: interfaceName, member: name, signature: wrong, body: [1],
      });
      await assert.rejects(refused, { errorName: 'org.bastionfirewall.Error.InvalidArgument' }, `${interfaceName}.${name}`);
    }
  });

  test('does what the examples of the reference say', async () => {
    for (const { what, command } of BUS_EXAMPLES) {
      const { stdout: output } = await run('sh', ['-ec', `busctl() { command busctl --address='${rig.address}' --no-pager "$@"; }\n${command}`]);
      if (what.startsWith('A rule')) assert.equal(output, 's "no-curl"\n');
    }
  });

  test('leads busctl from the root of the tree to its object', async () => {
    const { stdout: tree } = await run('busctl', [`--address=${rig.address}`, '--no-pager', '--list', 'tree', BUS_NAME]);
    assert.ok(tree.split('\n').includes(OBJECT_PATH), tree);
  });

  test('answers Peer.Ping and GetMachineId to anybody', async () => {
    const bus = await rig.connectAs(5);
    const peer = { destination: BUS_NAME, path: OBJECT_PATH, interface: `${STANDARD}Peer` };
    assert.deepEqual(await bus.call({ ...peer, member: 'Ping' }), []);
    const [id] = await bus.call({ ...peer, member: 'GetMachineId' });
    assert.match(String(id), /^[0-9a-f]{32}$/u);
  });
});
