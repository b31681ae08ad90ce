/** The keeper of address sets, with sets that are made up: failures, killed helpers, nft that is not installed. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { createSetMemory } from '../../helper/adapters/set-memory.ts';
import { changeText, foundSet } from '../../helper/adapters/nft-sets/json.ts';
import { runNft, saidBy } from '../../helper/adapters/nft-sets/process.ts';
import { BastionError } from '../../helper/contract/errors.ts';
import type { AddressSets, Container, EngineView, FoundSet, NetworkLink, RememberedSet, SetChange, SetName, ZoneSettings } from '../../helper/ports.ts';
import { ZoneSets } from '../../helper/zone-sets.ts';
import { complaints, makeStore, silent } from './rule-store-support.ts';

function zone(name: string, more: Partial<ZoneSettings> = {}): ZoneSettings {
  return { name, family: 'inet', table: 'filter', set4: `${name}_ips`, set6: '', create: false, keepOthers: true, inbound: 'off', inboundAllow: [], line: 1, ...more };
}

function link(name: string, ...addresses: readonly string[]): NetworkLink {
  return {
    name, kind: 'ethernet', up: true, connected: true, mac: '', addressesLeftOut: 0,
    addresses: addresses.map((address) => ({ address, prefixLength: 24, scope: 'global', dynamic: false, temporary: false, deprecated: false })),
  };
}

/** The kernel's sets: a transaction is taken whole or not at all. */
class Kernel implements AddressSets {
  readonly sets = new Map<string, Set<string>>();
  readonly taken: (readonly SetChange[])[] = [];
  reads = 0;
  /** Throws instead of taking a transaction. */
  refuse: ((changes: readonly SetChange[]) => Error | null) | null = null;
  isInstalled = true;
  watched: ((by: string) => void) | null = null;
  /** After a set was read, before the answer arrives. */
  whileRead: () => void = () => undefined;

  async read({ set }: SetName): ReturnType<AddressSets['read']> {
    this.reads += 1;
    if (!this.isInstalled) throw new BastionError('NotSupported', 'The program nft is not installed (package nftables).');
    const elements = [...this.sets.get(set) ?? []].map((one) => ({ first: one, last: one, expiresS: null }));
    const found: FoundSet = this.sets.has(set) ? { state: 'there', endsAlone: false, elements } : { state: 'missing' };
    await Promise.resolve();
    this.whileRead();
    return found;
  }

  async change(changes: readonly SetChange[]): Promise<void> {
    await Promise.resolve();
    const refused = this.refuse?.(changes) ?? null;
    if (refused !== null) throw refused;
    const after = new Map([...this.sets].map(([name, elements]) => [name, new Set(elements)]));
    for (const { set, remove, add } of changes) {
      const elements = after.get(set);
      if (elements === undefined) throw new BastionError('Failed', 'No such file or directory');
      for (const { first } of remove) if (!elements.delete(first)) throw new BastionError('Failed', 'No such file or directory');
      for (const { first } of add) {
        if (elements.has(first)) throw new BastionError('Failed', 'File exists');
        elements.add(first);
      }
    }
    for (const [name, elements] of after) this.sets.set(name, elements);
    this.taken.push(changes);
  }

  watch(changed: (by: string) => void): { close(): void } {
    this.watched = changed;
    return { close: () => { this.watched = null; } };
  }

  of(set: string): readonly string[] {
    return [...this.sets.get(set) ?? []].sort();
  }
}

class Bed {
  readonly kernel = new Kernel();
  links: readonly NetworkLink[] = [];
  remembered: readonly RememberedSet[] = [];
  nowMs = 0;
  listed: () => Promise<readonly NetworkLink[]> = () => Promise.resolve(this.links);
  changed: () => void = () => undefined;
  readonly sets: ZoneSets;

  constructor(containers: { current: readonly Container[]; engines: readonly EngineView[] } | null = null) {
    const listen = (changed: () => void): (() => void) => {
      this.changed = changed;
      return () => undefined;
    };
    const { kernel } = this;
    const links = (): readonly NetworkLink[] => this.links;
    this.sets = new ZoneSets({
      links: { list: () => this.listed(), onChanged: listen, get current() { return links(); } },
      containers: containers === null ? null : { get current() { return containers.current; }, get engines() { return containers.engines; }, onChanged: () => () => undefined },
      sets: kernel,
      memory: { load: () => Promise.resolve(this.remembered), save: (sets) => { this.remembered = sets; } },
      logger: silent, placeOf: ({ name }) => ({ zone: name, dynamicOnly: false }), nowMs: () => this.nowMs,
    });
  }

  /** Interfaces are so from now on; resolves when the sets are at rest. */
  async now(...links: readonly NetworkLink[]): Promise<void> {
    this.links = links;
    this.changed();
    await this.sets.turnOn();
    await this.sets.configure(this.zones);
  }

  zones: readonly ZoneSettings[] = [];

  async begin(zones: readonly ZoneSettings[], ...links: readonly NetworkLink[]): Promise<void> {
    this.zones = zones;
    this.links = links;
    await this.sets.configure(zones);
    await this.sets.start(false);
  }
}

/** A bed whose kernel has not told its interfaces. */
function withoutLinks(): Bed {
  const bed = new Bed();
  bed.listed = () => Promise.reject(new BastionError('Failed', 'The kernel has not told of the network interfaces yet.'));
  bed.kernel.sets.set('wan_ips', new Set(['192.0.2.1', '198.51.100.9']));
  bed.remembered = [{ family: 'inet', table: 'filter', set: 'wan_ips', version: 4, addresses: new Set(['192.0.2.1']) }];
  return bed;
}

function remembered(bed: Bed): readonly string[] {
  return bed.remembered.flatMap(({ addresses }) => [...addresses]).sort();
}

test('all zones change in one transaction, from one moment of the interfaces', async (t) => {
  const bed = new Bed();
  t.after(() => bed.sets.close());
  bed.kernel.sets.set('wan_ips', new Set()).set('lan_ips', new Set());
  await bed.begin([zone('wan'), zone('lan')], link('wan', '192.0.2.1'), link('lan', '10.0.0.1'));
  assert.equal(bed.kernel.taken.length, 1);
  assert.deepEqual([bed.kernel.of('wan_ips'), bed.kernel.of('lan_ips')], [['192.0.2.1'], ['10.0.0.1']]);
});

test('changes that come while a transaction is under way become one', async (t) => {
  const bed = new Bed();
  t.after(() => bed.sets.close());
  bed.kernel.sets.set('wan_ips', new Set());
  await bed.begin([zone('wan')], link('wan', '192.0.2.1'));
  for (let last = 2; last < 50; last += 1) {
    bed.links = [link('wan', `192.0.2.${String(last)}`)];
    bed.changed();
  }
  await bed.now(link('wan', '192.0.2.99'));
  assert.deepEqual(bed.kernel.of('wan_ips'), ['192.0.2.99']);
  assert.ok(bed.kernel.taken.length <= 3, String(bed.kernel.taken.length));
});

test('without [[zone]] nothing is read, watched or remembered', async (t) => {
  const bed = new Bed();
  t.after(() => bed.sets.close());
  await bed.begin([], link('wan', '192.0.2.1'));
  await bed.now(link('wan', '192.0.2.2'));
  assert.deepEqual([bed.kernel.reads, bed.kernel.watched, bed.remembered.length], [0, null, 0]);
});

test('a transaction that somebody else made impossible is made anew from what is there', async (t) => {
  const bed = new Bed();
  t.after(() => bed.sets.close());
  bed.kernel.sets.set('wan_ips', new Set());
  await bed.begin([zone('wan')], link('wan', '192.0.2.1'));
  // Nobody has told of it yet.
  bed.kernel.sets.set('wan_ips', new Set(['192.0.2.2', '198.51.100.9']));
  bed.links = [link('wan', '192.0.2.1', '192.0.2.2')];
  bed.changed();
  await bed.sets.turnOff();
  assert.deepEqual(bed.kernel.of('wan_ips'), ['192.0.2.2', '198.51.100.9']);
});

test('what somebody changes while a set is read is not lost', async (t) => {
  const bed = new Bed();
  t.after(() => bed.sets.close());
  bed.kernel.whileRead = () => {
    bed.kernel.whileRead = () => undefined;
    bed.kernel.sets.set('wan_ips', new Set(['198.51.100.9']));
    bed.kernel.watched?.('nft (pid 7)');
  };
  await bed.begin([zone('wan')], link('wan', '192.0.2.1'));
  assert.deepEqual([bed.kernel.of('wan_ips'), bed.sets.views('wan')[0]?.state], [['192.0.2.1', '198.51.100.9'], 'current']);
});

test('a set that takes nothing does not keep the others from what they should hold, and is told', async (t) => {
  const bed = new Bed();
  t.after(() => bed.sets.close());
  bed.kernel.sets.set('wan_ips', new Set()).set('lan_ips', new Set());
  bed.kernel.refuse = (changes) => (changes.some(({ set }) => set === 'wan_ips')
    ? new BastionError('Failed', 'nft failed.', { cause: new Error('Too many open files in system') }) : null);
  await bed.begin([zone('wan'), zone('lan')], link('wan', '192.0.2.1'), link('lan', '10.0.0.1'));
  assert.deepEqual(bed.kernel.of('lan_ips'), ['10.0.0.1']);
  assert.deepEqual(bed.sets.views('wan').map(({ state, problem }) => [state, problem]), [['failed', 'The set could not be filled: Too many open files in system']]);
  bed.kernel.refuse = null;
  await bed.now(...bed.links);
  assert.deepEqual([bed.kernel.of('wan_ips'), bed.sets.views('wan')[0]?.problem], [['192.0.2.1'], '']);
});

test('where nft is not installed every set says so, and is filled once it is', async (t) => {
  const bed = new Bed();
  t.after(() => bed.sets.close());
  bed.kernel.isInstalled = false;
  bed.kernel.sets.set('wan_ips', new Set());
  await bed.begin([zone('wan')], link('wan', '192.0.2.1'));
  assert.match(bed.sets.views('wan')[0]?.problem ?? '', /nft is not installed \(package nftables\)/u);
  bed.kernel.isInstalled = true;
  await bed.now(...bed.links);
  assert.deepEqual(bed.kernel.of('wan_ips'), ['192.0.2.1']);
});

test('what is put in is remembered before the kernel has it, and forgotten after it has left', async (t) => {
  const bed = new Bed();
  t.after(() => bed.sets.close());
  bed.kernel.sets.set('wan_ips', new Set(['198.51.100.9']));
  let then: readonly string[] = [];
  bed.kernel.refuse = () => {
    then = remembered(bed);
    return null;
  };
  await bed.begin([zone('wan')], link('wan', '192.0.2.1'));
  assert.deepEqual(then, ['192.0.2.1']);
  await bed.now(link('wan', '192.0.2.2'));
  assert.deepEqual([then, remembered(bed)], [['192.0.2.1', '192.0.2.2'], ['192.0.2.2']]);
  await bed.sets.turnOff();
  assert.deepEqual([bed.kernel.of('wan_ips'), remembered(bed)], [['198.51.100.9'], []]);
});

test('what the last run put into a set that bastion.toml does not name any more leaves it', async (t) => {
  const bed = new Bed();
  t.after(() => bed.sets.close());
  bed.kernel.sets.set('old_ips', new Set(['192.0.2.1', '198.51.100.9']));
  bed.remembered = [{ family: 'inet', table: 'filter', set: 'old_ips', version: 4, addresses: new Set(['192.0.2.1', '192.0.2.7']) }];
  await bed.begin([], link('wan', '192.0.2.1'));
  assert.deepEqual([bed.kernel.of('old_ips'), remembered(bed)], [['198.51.100.9'], []]);
  assert.equal(bed.kernel.watched, null);
});

test('the addresses of containers stay after a restart until their engine has told of them, but not for ever', async (t) => {
  const containers: { current: readonly Container[]; engines: readonly EngineView[] } = {
    current: [], engines: [{ engine: 'docker', socket: '/run/docker.sock', state: 'connecting', problem: '' }],
  };
  const bed = new Bed(containers);
  t.after(() => bed.sets.close());
  bed.kernel.sets.set('wan_ips', new Set(['172.17.0.2', '172.17.0.3']));
  bed.remembered = [{ family: 'inet', table: 'filter', set: 'wan_ips', version: 4, addresses: new Set(['172.17.0.2', '172.17.0.3']) }];
  await bed.begin([zone('wan')], link('wan', '192.0.2.1'));
  assert.deepEqual(bed.kernel.of('wan_ips'), ['172.17.0.2', '172.17.0.3', '192.0.2.1']);
  containers.engines = [{ engine: 'docker', socket: '/run/docker.sock', state: 'connected', problem: '' }];
  containers.current = [{
    engine: 'docker', id: 'a'.repeat(64), name: 'web', image: 'web', state: 'running', zone: 'wan', hostNetwork: false,
    addresses: [{ network: 'bridge', address: '172.17.0.2', prefixLength: 16 }],
  }];
  await bed.now(...bed.links);
  assert.deepEqual(bed.kernel.of('wan_ips'), ['172.17.0.2', '192.0.2.1']);
});

test('nothing is taken out of a set, nor of one that others may not fill, before the interfaces are known', async (t) => {
  const bed = withoutLinks();
  t.after(() => bed.sets.close());
  await bed.begin([zone('wan', { keepOthers: false })]);
  await bed.sets.configure(bed.zones);
  assert.deepEqual(bed.kernel.of('wan_ips'), ['192.0.2.1', '198.51.100.9']);
  await bed.now(link('wan', '192.0.2.1', '192.0.2.2'));
  assert.deepEqual(bed.kernel.of('wan_ips'), ['192.0.2.1', '192.0.2.2']);
});

test('what is ours leaves while off, also where the interfaces are not known; turned on again, nothing else does', async (t) => {
  const bed = withoutLinks();
  t.after(() => bed.sets.close());
  await bed.begin([zone('wan')]);
  bed.kernel.whileRead = () => {
    bed.kernel.whileRead = () => undefined;
    void bed.sets.turnOn();
  };
  await bed.sets.turnOff();
  assert.deepEqual(bed.kernel.of('wan_ips'), ['192.0.2.1', '198.51.100.9']);
  await bed.sets.turnOff();
  assert.deepEqual([bed.kernel.of('wan_ips'), remembered(bed)], [['198.51.100.9'], []]);
});

test('closing reads and changes no further set, and does not wait for one that takes long', async () => {
  const bed = new Bed();
  const names = Array.from({ length: 16 }, (_, at) => `z${String(at)}`);
  for (const name of names) bed.kernel.sets.set(`${name}_ips`, new Set());
  const { promise: first, resolve: begun } = Promise.withResolvers<undefined>();
  const { promise: answer, resolve: goOn } = Promise.withResolvers<undefined>();
  const read = bed.kernel.read.bind(bed.kernel);
  bed.kernel.read = async (name) => {
    begun(undefined);
    await answer;
    return read(name);
  };
  const begin = bed.begin(names.map((name) => zone(name)), link('z0', '192.0.2.1'));
  await first;
  // A read that does not end for longer than the test may last.
  await bed.sets.close();
  goOn(undefined);
  await begin;
  assert.deepEqual([bed.kernel.reads, bed.kernel.taken.length, bed.remembered.length], [1, 0, 0]);
});

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'bastion-sets-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

test('the memory of elements has one line for each, for root alone, and gives back what it was given; other lines are left out', async (t) => {
  const runDir = await folder(t);
  const memory = createSetMemory({ runDir, logger: silent });
  assert.deepEqual(await memory.load(), []);
  const sets: readonly RememberedSet[] = [
    { family: 'inet', table: 'filter', set: 'wan_ips', version: 4, addresses: new Set(['192.0.2.1', '192.0.2.2']) },
    { family: 'ip6', table: 'mine', set: 'wan_ips6', version: 6, addresses: new Set(['2001:db8::1']) },
  ];
  memory.save(sets);
  assert.deepEqual(await memory.load(), sets);
  const file = join(runDir, 'set-elements');
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  const text = await readFile(file, 'utf8');
  assert.equal(text, 'inet filter wan_ips 192.0.2.1\ninet filter wan_ips 192.0.2.2\nip6 mine wan_ips6 2001:db8::1\n');
  await writeFile(file, `${text}inet filter wan_ips }; flush ruleset\nnonsense\ninet filter wan_ips 1.2.3\n`, { mode: 0o600 });
  assert.deepEqual(await memory.load(), sets);
});

test('every form in which nft tells elements is understood, and text that is none is told as such', () => {
  const name = { family: 'inet', table: 'filter', set: 's' } as const;
  const told = (type: unknown, elem: readonly unknown[], more: object = {}): string => JSON.stringify({
    nftables: [{ metainfo: {} }, { set: { family: 'inet', name: 's', table: 'filter', type, handle: 1, elem, ...more } }],
  });
  const found = foundSet(told('ipv4_addr', [
    '192.0.2.1', { prefix: { addr: '10.0.0.0', len: 30 } }, { range: ['192.0.2.4', '192.0.2.6'] },
    { elem: { val: '192.0.2.9', timeout: 60, expires: 59, comment: 'x', counter: { packets: 1, bytes: 2 } } }, 7, { other: 1 },
  ], { flags: ['interval', 'timeout'], timeout: 60 }), name, 4);
  assert.deepEqual(found, {
    state: 'there', endsAlone: true, elements: [
      { first: '192.0.2.1', last: '192.0.2.1', expiresS: null }, { first: '10.0.0.0', last: '10.0.0.3', expiresS: null },
      { first: '192.0.2.4', last: '192.0.2.6', expiresS: null }, { first: '192.0.2.9', last: '192.0.2.9', expiresS: 59 },
    ],
  });
  const six = foundSet(told('ipv6_addr', [{ prefix: { addr: '2001:db8::', len: 127 } }]), name, 6);
  assert.deepEqual(six.state === 'there' ? six.elements : null, [{ first: '2001:db8::', last: '2001:db8::1', expiresS: null }]);
  for (const text of ['', '{', '[]', 'null', '{"nftables":7}', told({ strange: 1 }, [])]) assert.notEqual(foundSet(text, name, 4).state, 'there', text);
});

test('removals come before additions, and what is added must not be there', () => {
  const element = { first: '192.0.2.1', last: '192.0.2.1', expiresS: null };
  const text = changeText([{ family: 'inet', table: 'filter', set: 's', version: 4, make: false, endsAlone: true, remove: [element], add: [element] }]);
  const { nftables } = JSON.parse(text) as { readonly nftables: readonly object[] };
  assert.deepEqual(nftables, [
    { delete: { element: { family: 'inet', table: 'filter', name: 's', elem: ['192.0.2.1'] } } },
    { create: { element: { family: 'inet', table: 'filter', name: 's', elem: [{ elem: { val: '192.0.2.1', timeout: 2_147_483 } }] } } },
  ]);
});

test('a tool that hangs, that never stops talking, or that is not there ends with a reason', async (t) => {
  const runDir = await folder(t);
  const tool = async (script: string): Promise<string> => {
    const program = join(runDir, 'tool');
    await writeFile(program, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return program;
  };
  const said = async (program: string, timeoutMs = 60_000): Promise<string> => {
    try {
      return await runNft({ program, folder: runDir, started: () => undefined, timeoutMs }, [], 'input');
    } catch (error: unknown) {
      return saidBy(error);
    }
  };
  assert.equal(await said(await tool('cat /dev/stdin')), 'input');
  assert.equal(await said(await tool('exec sleep 60'), 200), 'it was ended');
  assert.equal(await said(await tool('exec cat /dev/zero')), 'it told more than can be read');
  assert.equal(await said(await tool('echo no >&2; exit 3')), 'no');
  assert.match(await said(join(runDir, 'nothing')), /ENOENT/u);
});

test('[[zone]]: what is left out is filled in, and a table that only says what comes in has no sets', async (t) => {
  const { store, write } = await makeStore(t);
  await write('etc/bastion.toml', [
    '[[zone]]\nname = "wan"\n', '[[zone]]\nname = "home-lan"\ntable = "mine"\nset6 = ""\ncreate = true\nkeep_others = false\n',
    '[[zone]]\nname = "2nd"\nfamily = "ip"\n', '[[zone]]\nname = "in"\ninbound = "deny"\n',
  ].join('\n'));
  assert.deepEqual(await complaints(store), []);
  const { zones = [] } = (await store.load()).settings;
  assert.deepEqual(zones.map(({ name, family, table, set4, set6, create, keepOthers, line }) => [name, family, table, set4, set6, create, keepOthers, line]), [
    ['wan', 'inet', 'filter', 'wan_ips', 'wan_ips6', false, true, 1], ['home-lan', 'inet', 'mine', 'home_lan_ips', '', true, false, 4],
    ['2nd', 'ip', 'filter', 'zone_2nd_ips', '', false, true, 11], ['in', 'inet', 'filter', '', '', false, true, 15],
  ]);
});

test('[[zone]]: what is wrong is told with its line and column, and what to write', async (t) => {
  const { store, write } = await makeStore(t);
  for (const [text, wanted] of [
    ['[[zone]]\nfamily = "inet"\n', /^bastion\.toml:1:1 "name" is missing/],
    ['[[zone]]\nname = "wan"\nfamily = "inett"\n', /^bastion\.toml:3:1 "inett" is no family .* Did you mean "inet"\?/],
    ['[[zone]]\nname = "wan"\nset4 = "a b"\n', /^bastion\.toml:3:1 "a b" is no name of an nftables table or set/],
    ['[[zone]]\nname = "wan"\ntable = ""\n', /^bastion\.toml:3:1 "table" is empty/],
    ['[[zone]]\nname = "wan"\ncreate = "yes"\n', /^bastion\.toml:3:1 "create" must be true or false/],
    ['[[zone]]\nname = "wan"\n[[zone]]\nname = "wan"\n', /^bastion\.toml:4:1 There is a \[\[zone\]\] "wan" in line 1 already/],
    ['[[zone]]\nname = "wan"\n[[zone]]\nname = "lan"\nset6 = "wan_ips"\n', /^bastion\.toml:5:1 The set inet filter wan_ips is set4 of the zone "wan" already/],
    ['[[zone]]\nname = "wan"\nfamily = "ip"\nset6 = "x"\n', /^bastion\.toml:4:1 Rules of the family "ip" never see IPv6\. Write set6 = ""/],
    ['[zone]\nname = "wan"\n', /Write \[\[zone\]\]/],
    [Array.from({ length: 65 }, (_, index) => `[[zone]]\nname = "z${String(index)}"\n`).join(''), /^bastion\.toml:129:1 There are at most 64/],
  ] as const) {
    await write('etc/bastion.toml', text);
    assert.match((await complaints(store))[0] ?? '', wanted);
  }
});
