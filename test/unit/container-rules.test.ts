/** Containers in rules: what a rule names, which end of a flow counts, who is sure, and what follows when an address changes hands. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import type { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { createContainerSigns } from '../../helper/adapters/container-signs.ts';
import { createNamespaces } from '../../helper/adapters/namespaces.ts';
import { forwardRules } from '../../helper/adapters/netfilter/forward.ts';
import { containersKnown } from '../../helper/containers-known.ts';
import type { ContainerEnd, Rule, RuleMatch } from '../../helper/contract/vocabulary.ts';
import { ContainerDesk } from '../../helper/engine/container-desk.ts';
import { forwardSpec } from '../../helper/engine/forwarding.ts';
import { coversRule } from '../../helper/insight/cover.ts';
import { compareRules, rankRule } from '../../helper/policy/order.ts';
import { remembering } from '../../helper/policy/remembering.ts';
import { RuleIndex } from '../../helper/policy/rule-index.ts';
import type { Container, Settings } from '../../helper/ports.ts';
import { container, containerId, end, FakeContainers } from './container-support.ts';
import { FakeTime, Rig } from './engine-support.ts';
import { facts, moment, PATH, ports, rule, tuple } from './policy-support.ts';
import { owner } from './prompt-support.ts';

const nobody = createNamespaces({ root: '/nonexistent' });

/** A forwarded flow with these containers at its ends. */
function says(match: RuleMatch, ends: readonly ContainerEnd[], action: Rule['action'] = 'deny', to = '192.0.2.7'): boolean {
  const flow = facts({
    path: null, confidence: 'unknown', evidence: 'none', uid: -1, process: null, tuple: tuple({ destinationAddress: to }), containers: ends,
    interfaceName: 'eth0',
  });
  return new RuleIndex([rule('r', action, match)]).evaluate(flow, moment()).rule !== null;
}

describe('what a rule names', () => {
  const web = end('web', { id: containerId('3f2a9c0b1d2e') });
  for (const [pattern, named] of [
    ['web', true], ['we*', true], ['*', true], ['3f2a9c0b1d2e', true], [containerId('3f2a9c0b1d2e'), true],
    ['Web', false], ['we', false], ['web2*', false], ['3f2a9c0b1d2', false], ['3f2a9c0b1d2e0', false], ['3f2a*', false],
  ] as const) {
    test(`${pattern.slice(0, 16)} ${named ? 'is' : 'is not'} the container web with the id 3f2a9c0b1d2e`, () => { assert.equal(says({ container: pattern }, [web]), named); });
  }

  test('a rule for a container matches no flow of a program outside, whatever it does', () => {
    for (const action of ['allow', 'deny', 'drop', 'ask'] as const) {
      const index = new RuleIndex([rule('r', action, { container: '*' })]);
      assert.equal(index.evaluate(facts(), moment()).rule, null);
      assert.equal(index.evaluate(facts({ path: null, claimedPath: PATH, confidence: 'unknown', evidence: 'none', uid: null }), moment()).rule, null);
    }
  });

  test('what refuses or asks counts for what is sent and what is received, and where it is not sure which container it is', () => {
    for (const action of ['deny', 'drop', 'ask'] as const) {
      for (const change of [{}, { certain: false }, { side: 'receiver' }, { side: 'receiver', certain: false }] as const) {
        assert.ok(says({ container: 'web' }, [end('db'), { ...web, ...change }], action));
      }
    }
  });

  test('what allows wants the very container that sends; into it only with the address, interface or zone that it comes by', () => {
    assert.ok(says({ container: 'web' }, [web], 'allow'));
    assert.ok(!says({ container: 'web' }, [{ ...web, certain: false }], 'allow'));
    const into = { ...web, side: 'receiver' } as const;
    assert.ok(!says({ container: 'web' }, [into], 'allow'));
    assert.ok(!says({ container: 'web', ...ports(443) }, [into], 'allow'));
    assert.ok(says({ container: 'web', interface: 'eth0' }, [into], 'allow'));
    assert.ok(says({ container: 'web', address: '172.17.0.2' }, [into], 'allow', '172.17.0.2'));
    assert.ok(!says({ container: 'web', address: '172.17.0.0/16' }, [into], 'allow', '172.17.0.2'));
    assert.ok(!says({ container: 'web', interface: 'eth0' }, [{ ...into, certain: false }], 'allow'));
  });

  test('it goes behind a path and before a package; a name before the beginning of one, the longer before the shorter', () => {
    const matches: readonly RuleMatch[] = [
      { path: PATH }, { path: PATH, includeChildren: true }, { container: 'web-1' }, { container: 'web-*' }, { container: 'w*' }, { container: '*' },
      { package: 'curl' }, {},
    ];
    const ranked = matches.map((match, at) => rankRule(rule(`r${String(at)}`, 'deny', match))).filter((one) => one !== null);
    assert.deepEqual(ranked.toReversed().sort(compareRules), ranked);
  });

  test('a decision about one is for its one flow, and at most ten seconds where its socket is not known', () => {
    const flow = facts({ path: null, confidence: 'unknown', evidence: 'none', uid: -1, process: null, containers: [web] });
    const evaluation = new RuleIndex([rule('r', 'allow', { container: 'web' })]).evaluate(flow, moment());
    assert.deepEqual(remembering(flow, evaluation, moment().nowMs), { for: 'socket', lastsMs: 10_000 });
  });

  test('a program outside is remembered for its socket only, while a container that a rule refuses shares the network', () => {
    const index = new RuleIndex([rule('no', 'deny', { container: 'web' }), rule('curl', 'allow', { package: 'curl' })]);
    const flow = facts({ identity: { path: PATH, package: 'curl' } });
    const kept = (sharesNetwork: (name: string) => boolean): string => {
      const now = moment({ sharesNetwork });
      return remembering(flow, index.evaluate(flow, now), now.nowMs).for;
    };
    assert.equal(kept(() => false), 'program');
    assert.equal(kept((name) => name === 'web'), 'socket');
  });

  test('a rule for several names covers one for one of them, and nothing that may be meant by an id', () => {
    const covers = (wide: RuleMatch, narrow: RuleMatch): boolean => coversRule(rule('w', 'deny', wide), rule('n', 'deny', narrow));
    assert.ok(covers({ container: 'web-*' }, { container: 'web-1' }));
    assert.ok(covers({}, { container: 'web-1' }));
    assert.ok(!covers({ container: 'web-1' }, {}));
    assert.ok(!covers({ container: 'a*' }, { container: 'abcdefabcdef' }));
    assert.ok(!covers({ container: '*' }, { path: PATH }));
  });
});

describe('what netfilter holds of denied containers', () => {
  const desk = (...running: readonly Container[]): { readonly desk: ContainerDesk; readonly fake: FakeContainers; readonly time: FakeTime; readonly told: () => number } => {
    const time = new FakeTime();
    let told = 0;
    const fake = new FakeContainers();
    fake.set(...running);
    const made = new ContainerDesk({ containers: fake, signs: fake.signs, clock: time, schedule: time.schedule });
    made.onChanged(() => { told += 1; });
    return { desk: made, fake, time, told: () => told };
  };
  const deny = rule('no', 'deny', { container: 'web', ...ports(443), protocols: [6] });
  const to = { ports: deny.match.ports ?? [], protocols: [6] };

  test('its addresses as they are now, both ways; without it there is nothing to hold', () => {
    const { desk: containers, fake } = desk(container('web', ['172.17.0.2', 'fd00::2']), container('db', ['172.17.0.3']));
    assert.deepEqual(forwardSpec('pass', [deny], containers), { holdsAll: false, denied: [
      { from: '172.17.0.2', ...to }, { ...to, address: '172.17.0.2' }, { from: 'fd00::2', ...to }, { ...to, address: 'fd00::2' },
    ] });
    fake.set(container('db', ['172.17.0.2']), container('web', ['172.17.0.9']));
    assert.deepEqual(forwardSpec('pass', [deny], containers)?.denied, [{ from: '172.17.0.9', ...to }, { ...to, address: '172.17.0.9' }]);
    fake.set(container('db', ['172.17.0.2']));
    assert.equal(forwardSpec('pass', [deny], containers), null);
    assert.equal(forwardSpec('pass', [deny]), null);
  });

  test('more addresses than can be told apart: every packet is held', () => {
    const many = Array.from({ length: 129 }, (_, at) => container(`web-${String(at)}`, [`172.17.1.${String(at)}`]));
    assert.deepEqual(forwardSpec('pass', [rule('no', 'deny', { container: 'web-*' })], desk(...many).desk), { holdsAll: false, denied: 'any' });
  });

  test('the sender is a match of its family, and an address of an unknown spelling holds everything', () => {
    const asked = (from: string, family: 4 | 6): readonly string[] => forwardRules(family, {
      queueNumber: 1, bypass: false, refuseMark: 1, xtPrograms: null, forward: { holdsAll: false, denied: [{ from, address: '192.0.2.0/24', ...to }] },
    }).filter((text) => text.includes('NFQUEUE'));
    assert.deepEqual(asked('172.17.0.2', 4), ['-s 172.17.0.2 -d 192.0.2.0/24 -p 6 -m multiport --dports 443 -j NFQUEUE --queue-num 1 --queue-bypass']);
    assert.deepEqual(asked('172.17.0.2', 6), []);
    assert.deepEqual(asked('1 -j ACCEPT', 4), ['-j NFQUEUE --queue-num 1 --queue-bypass']);
  });

  test('where containers are allowed something, an address that another one has now is held packet by packet', () => {
    const { desk: containers, fake } = desk(container('web', ['172.17.0.2']), container('db', ['172.17.0.3']));
    const allow = rule('yes', 'allow', { container: 'web' });
    assert.deepEqual(forwardSpec('deny', [allow], containers), { holdsAll: true, denied: [] });
    fake.set(container('db', ['172.17.0.3']));
    const released = [{ from: '172.17.0.2' }, { address: '172.17.0.2' }];
    assert.deepEqual(forwardSpec('deny', [allow], containers)?.denied, released);
    // It is back, and nobody had its address meanwhile.
    fake.set(container('web', ['172.17.0.2']));
    assert.deepEqual(forwardSpec('deny', [allow], containers)?.denied, [{ from: '172.17.0.3' }, { address: '172.17.0.3' }]);
    fake.set(container('db', ['172.17.0.2']));
    fake.set(container('db', ['172.17.0.2'], { image: 'other' }));
    assert.deepEqual(forwardSpec('deny', [allow], containers)?.denied, [...released, { from: '172.17.0.3' }, { address: '172.17.0.3' }]);
    assert.deepEqual(forwardSpec('deny', [], containers)?.denied, []);
    assert.equal(forwardSpec('pass', [allow], containers), null);
  });

  test('an address that changed its owner is held until its flows are over, and not for good; a change begins anew', () => {
    const { desk: containers, fake, time, told } = desk(container('web', ['172.17.0.2']), container('db', ['172.17.0.3']));
    fake.set(container('db', ['172.17.0.2']));
    time.pass(1_000_000);
    assert.deepEqual(containers.released, ['172.17.0.2', '172.17.0.3']);
    fake.set(container('web', ['172.17.0.2']));
    const before = told();
    time.pass(300_000);
    assert.deepEqual(containers.released, ['172.17.0.2']);
    assert.equal(told(), before + 1, 'netfilter is to follow without another change');
    time.pass(1_000_000);
    assert.deepEqual([containers.released, time.timers], [[], 0]);
  });

  test('more addresses than are told apart come and go: everything is asked about, until they are old', () => {
    const { desk: containers, fake, time } = desk();
    for (let round = 0; round < 3; round += 1) {
      fake.set(...Array.from({ length: 250 }, (_, at) => container(`job-${String(at)}`, [`172.18.${String(round)}.${String(at)}`])));
    }
    fake.set();
    const allow = rule('yes', 'allow', { container: 'job-*' });
    assert.equal(containers.released, null);
    assert.deepEqual(forwardSpec('deny', [allow], containers), { holdsAll: true, denied: 'any' });
    time.pass(1_300_000);
    assert.deepEqual(forwardSpec('deny', [allow], containers), { holdsAll: true, denied: [] });
  });
});

describe('a forwarded flow in the engine', () => {
  const forwarded = (rig: Rig, source: string, change: { readonly to?: string; readonly by?: string } = {}): number => {
    const flow = { sourceAddress: source, destinationAddress: change.to ?? '192.0.2.7' };
    const interfaceName = change.by ?? 'docker0';
    return rig.ask({ origin: 'forwarded', tuple: flow, interfaceName, attribution: nobody.forwardedOwner(tuple(flow), interfaceName) });
  };
  const rigOf = (rules: readonly Rule[], setting: Settings['forwarded']): Rig => {
    const rig = Rig.with(rules, { forwarded: setting });
    rig.containers.set(container('web', ['172.17.0.2']), container('db', ['172.17.0.3']));
    return rig;
  };

  test('allow: the container passes where others are refused; with a false source it does not', () => {
    const rig = rigOf([rule('yes', 'allow', { container: 'web' })], 'deny');
    const verdict = (...flow: readonly [string, { readonly by?: string }?]): string => rig.dataPath.last(forwarded(rig, ...flow)).verdict;
    assert.equal(verdict('172.17.0.2'), 'accept');
    assert.equal(verdict('172.17.0.3'), 'refuse');
    assert.equal(verdict('172.17.0.2', { by: 'eth0' }), 'refuse');
    rig.containers.set(container('web', ['172.17.0.2']), container('twin', ['172.17.0.2']));
    assert.equal(verdict('172.17.0.2'), 'refuse');
  });

  test('deny: it is refused also by another interface and into it, its neighbour is not, and the record names it', () => {
    const rig = rigOf([rule('no', 'deny', { container: 'web' })], 'pass');
    assert.equal(rig.dataPath.last(forwarded(rig, '172.17.0.2', { by: 'eth0' })).verdict, 'refuse');
    assert.equal(rig.dataPath.last(forwarded(rig, '172.17.0.3', { to: '172.17.0.2' })).verdict, 'refuse');
    assert.equal(rig.dataPath.last(forwarded(rig, '172.17.0.3')).verdict, 'accept');
    forwarded(rig, '172.17.0.2');
    const record = rig.flows.at(-1);
    assert.equal(record?.forwardedFrom, 'Container web (docker), 172.17.0.2');
    assert.deepEqual(record.containers, [end('web')]);
  });

  test('when the address changes hands, what was remembered ends in the same turn, and the new owner is decided by its own rules', () => {
    const rig = rigOf([rule('yes', 'allow', { container: 'web' })], 'deny');
    forwarded(rig, '172.17.0.2');
    const before = rig.dataPath.generations;
    rig.containers.set(container('db', ['172.17.0.2']), container('web', ['172.17.0.3']));
    assert.ok(rig.dataPath.generations > before);
    assert.equal(rig.dataPath.last(forwarded(rig, '172.17.0.2')).verdict, 'refuse');
    assert.equal(rig.dataPath.last(forwarded(rig, '172.17.0.3')).verdict, 'accept');
    const settled = rig.dataPath.generations;
    rig.containers.set(container('db', ['172.17.0.9']), container('web', ['172.17.0.3']));
    assert.equal(rig.dataPath.generations, settled, 'a container that no rule names changes nothing');
  });

  test('ask: the prompt names the container, and its answer makes a rule for it that other containers do not have', async () => {
    const rig = rigOf([], 'ask');
    const first = forwarded(rig, '172.17.0.2');
    const [{ info }] = rig.engine.prompts() as readonly [ReturnType<Rig['engine']['prompts']>[number]];
    assert.equal(info.application, 'Container web (docker), 172.17.0.2');
    assert.deepEqual([info.container, info.image, info.named_by], ['web', 'web:1', 'container']);
    assert.deepEqual(info.lifetimes, ['once', 'boot', 'until', 'always']);
    const { ruleId } = await rig.engine.answer(info.nonce, { action: 'allow', lifetime: 'always', scope: 'port' });
    assert.equal(rig.dataPath.last(first).verdict, 'accept');
    const made = rig.engine.ruleInfos().find(({ id }) => id === ruleId);
    assert.deepEqual([made?.container, made?.path, made?.user, made?.port, made?.name], ['web', '', '', '443', 'web: any host, tcp 443']);
    assert.equal(rig.dataPath.last(forwarded(rig, '172.17.0.2', { to: '192.0.2.99' })).verdict, 'accept');
    assert.equal(rig.dataPath.last(forwarded(rig, '172.17.0.3')).verdict, 'hold');
    assert.equal(rig.dataPath.last(forwarded(rig, '10.0.0.9', { to: '172.17.0.2', by: 'eth0' })).verdict, 'hold', 'nothing is opened into it');
  });

  test('ask: nothing lasting is offered where it is not sure whose the address is', () => {
    const rig = rigOf([], 'ask');
    forwarded(rig, '172.17.0.2', { by: 'eth0' });
    const [view] = rig.engine.prompts();
    assert.deepEqual(view?.info.lifetimes, ['once']);
    assert.equal(view.info.container, undefined);
  });

  test('what waits is decided when the container becomes known, and not by a rule for another one that has the address now', () => {
    const rig = Rig.with([rule('yes', 'allow', { container: 'web' }), rule('no', 'deny', { container: 'bad' })], { forwarded: 'ask' });
    const early = forwarded(rig, '172.17.0.2');
    assert.equal(rig.dataPath.last(early).verdict, 'hold');
    rig.containers.set(container('web', ['172.17.0.2']));
    assert.equal(rig.dataPath.last(early).verdict, 'accept');
    rig.containers.set(container('other', ['172.17.0.3']));
    const other = forwarded(rig, '172.17.0.3');
    rig.containers.set(container('web', ['172.17.0.3']));
    assert.equal(rig.dataPath.last(other).verdict, 'hold');
    rig.containers.set(container('bad', ['172.17.0.3']));
    assert.equal(rig.dataPath.last(other).verdict, 'refuse');
  });
});

describe('what engines say', () => {
  test('the start waits for an engine whose socket is there, and for nobody else or longer', async () => {
    const fake = new FakeContainers();
    const engine = { engine: 'docker', socket: process.execPath, state: 'connecting', problem: '' } as const;
    fake.engines = [{ ...engine, socket: '/nonexistent/docker.sock', state: 'absent' }];
    await containersKnown(fake, 600_000);
    fake.engines = [engine];
    await containersKnown(fake, 1);
    const known = containersKnown(fake, 600_000);
    fake.set(container('web', ['172.17.0.2']));
    fake.engines = [{ ...engine, state: 'connected' }];
    fake.set(container('web', ['172.17.0.2']));
    await known;
  });

  test('the start waits for no engine whose socket is only a link, as podman-docker makes one', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'bastion-known-'));
    try {
      const socket = join(folder, 'docker.sock');
      symlinkSync(process.execPath, socket);
      const fake = new FakeContainers();
      fake.engines = [{ engine: 'docker', socket, state: 'absent', problem: '' }];
      const limit = AbortSignal.timeout(10_000);
      const late = new Promise((_resolve, reject) => { limit.addEventListener('abort', () => { reject(new Error('waited')); }); });
      await Promise.race([containersKnown(fake, 600_000), late]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });


  test('a denied container stays denied while its engine is away, and nothing is allowed meanwhile', () => {
    const rig = Rig.with([rule('no', 'deny', { container: 'web' }), rule('yes', 'allow', { container: 'db' })], { forwarded: 'deny' });
    const verdict = (source: string): string => {
      const flow = { sourceAddress: source, destinationAddress: '192.0.2.7' };
      return rig.dataPath.last(rig.ask({
        origin: 'forwarded', tuple: flow, interfaceName: 'docker0', attribution: nobody.forwardedOwner(tuple(flow), 'docker0'),
      })).verdict;
    };
    rig.containers.engines = [{ engine: 'docker', socket: '/run/docker.sock', state: 'connected', problem: '' }];
    rig.containers.set(container('web', ['172.17.0.2']), container('db', ['172.17.0.3']));
    assert.deepEqual([verdict('172.17.0.2'), verdict('172.17.0.3')], ['refuse', 'accept']);
    rig.containers.engines = [{ engine: 'docker', socket: '/run/docker.sock', state: 'absent', problem: '' }];
    rig.containers.set();
    assert.deepEqual([verdict('172.17.0.2'), verdict('172.17.0.3')], ['refuse', 'refuse']);
    assert.equal(rig.flows.at(-2)?.decision.ruleId, 'no');
    assert.deepEqual(rig.engine.forwardedContainers.addressesOf('web'), ['172.17.0.2']);
    rig.containers.engines = [{ engine: 'docker', socket: '/run/docker.sock', state: 'connected', problem: '' }];
    rig.containers.set();
    assert.deepEqual(rig.engine.forwardedContainers.addressesOf('web'), []);
  });

  test('what a user\'s own engine says is no ground for any rule', () => {
    const rig = Rig.with([rule('yes', 'allow', { container: 'web' })], { defaultAction: 'deny' });
    rig.containers.processes.set(200, container('web').id);
    rig.containers.set(container('web', [], { ownerUid: 1000 }));
    assert.equal(rig.dataPath.last(rig.ask({ path: null, owner: { pid: 200, cgroup: 77n } })).verdict, 'refuse');
  });
});

describe('a container on the machine\'s own network', () => {
  test('its programs are told by their cgroup, programs outside are not, and both are decided again when it becomes known', () => {
    const rig = Rig.with([rule('no', 'deny', { container: 'tool' }), rule('all', 'allow', ports(443))], { defaultAction: 'deny' });
    rig.containers.processes.set(200, container('tool').id);
    const inside = { path: null, claimedPath: PATH, owner: { pid: 200, cgroup: 77n, cookie: 900n } } as const;
    const outside = { owner: { pid: 100, cgroup: 3n } } as const;
    assert.equal(rig.dataPath.last(rig.ask(outside)).verdict, 'accept');
    assert.equal(rig.recall(outside), 'accept');
    rig.containers.set(container('tool'));
    assert.equal(rig.recall({ owner: { pid: 200, cgroup: 77n, cookie: 901n } }), null, 'the same file in the container has no memory of the program outside');
    assert.equal(rig.dataPath.last(rig.ask(inside)).verdict, 'refuse');
    assert.equal(rig.flows.at(-1)?.decision.ruleId, 'no');
    assert.equal(rig.dataPath.last(rig.ask(outside)).verdict, 'accept');
  });

  test('an allow rule counts only where the kernel recorded the cgroup', () => {
    const rig = Rig.with([rule('yes', 'allow', { container: 'tool' })], { defaultAction: 'deny' });
    rig.containers.set(container('tool'));
    rig.containers.processes.set(200, container('tool').id);
    const verdict = (cgroup: bigint, evidence: 'kernel' | 'sock_diag'): string => rig.dataPath.last(
      rig.ask({ path: null, owner: { pid: 200, cgroup }, attribution: { evidence } })).verdict;
    assert.equal(verdict(77n, 'kernel'), 'accept');
    assert.equal(verdict(78n, 'sock_diag'), 'refuse');
    assert.equal(verdict(0n, 'kernel'), 'refuse');
  });

  test('while its engine is away it stays denied, nothing is allowed, and what was remembered ends', () => {
    const rig = Rig.with([rule('yes', 'allow', { container: 'tool' }), rule('no', 'deny', { container: 'bad' })], { defaultAction: 'deny' });
    const engine = { engine: 'docker', socket: '/run/docker.sock', state: 'connected', problem: '' } as const;
    rig.containers.engines = [engine];
    rig.containers.set(container('tool'), container('bad'));
    rig.containers.processes.set(200, container('tool').id).set(201, container('bad').id);
    const decided = (pid: number): readonly unknown[] => {
      const { verdict } = rig.dataPath.last(rig.ask({ path: null, owner: { pid, cgroup: BigInt(pid) } }));
      return [verdict, rig.flows.at(-1)?.decision.ruleId];
    };
    assert.deepEqual(decided(200), ['accept', 'yes']);
    const before = rig.dataPath.generations;
    rig.containers.engines = [{ ...engine, state: 'failing' }];
    rig.containers.set(container('tool'), container('bad'));
    assert.ok(rig.dataPath.generations > before);
    assert.equal(decided(200)[0], 'refuse');
    assert.deepEqual(decided(201), ['refuse', 'no']);
    rig.containers.engines = [engine];
    rig.containers.set(container('tool'), container('bad'));
    assert.deepEqual(decided(200), ['accept', 'yes']);
  });
});

describe('signs of containers', () => {
  test('a process is in the container that its cgroup is named by, if it is the recorded one and not of a user\'s own making', (t) => {
    const root = mkdtempSync(join(tmpdir(), 'bastion-signs-'));
    t.after(() => { rmSync(root, { recursive: true, force: true }); });
    const id = containerId('3f2a9c0b1d2e');
    const put = (pid: number, path: string): bigint => {
      mkdirSync(join(root, String(pid)));
      writeFileSync(join(root, String(pid), 'cgroup'), `0::${path}\n`);
      mkdirSync(join(root, 'cgroup', path), { recursive: true });
      return statSync(join(root, 'cgroup', path), { bigint: true }).ino;
    };
    const docker = put(10, `/system.slice/docker-${id}.scope`);
    const user = put(11, `/user.slice/user-1000.slice/libpod-${id}.scope`);
    const plain = put(12, '/system.slice/ssh.service');
    const signs = createContainerSigns({ root, cgroups: join(root, 'cgroup') });
    assert.deepEqual(signs.ofProcess(owner({ pid: 10, cgroup: docker })), { id, certain: true });
    assert.deepEqual(signs.ofProcess(owner({ pid: 10, cgroup: plain })), { id, certain: false });
    assert.deepEqual(signs.ofProcess(owner({ pid: 11, cgroup: user })), { id: null, certain: true });
    assert.deepEqual(signs.ofProcess(owner({ pid: 12, cgroup: plain })), { id: null, certain: true });
    assert.deepEqual(signs.ofProcess(owner({ pid: 13, cgroup: plain })), { id: null, certain: false });
    assert.deepEqual(createContainerSigns({ root, cgroups: null }).ofProcess(owner({ pid: 10, cgroup: docker })), { id, certain: false });
  });

  test('an address is behind the interface with the smallest network that holds it; a new one is found at once', () => {
    let nowMs = 0;
    const own = (address: string, cidr: string): NonNullable<ReturnType<typeof networkInterfaces>[string]>[number] => ({
      address, cidr, family: 'IPv4', netmask: '', mac: '', internal: false,
    });
    const links: Record<string, ReturnType<typeof own>[]> = { eth0: [own('172.16.0.9', '172.16.0.9/12')], docker0: [own('172.17.0.1', '172.17.0.1/16')] };
    const signs = createContainerSigns({ cgroups: null, networks: () => links, nowMs: () => nowMs });
    assert.deepEqual(['docker0', 'eth0', 'lo'].map((name) => signs.leadsTo(name, '172.17.0.2')), [true, false, false]);
    assert.ok(signs.leadsTo('eth0', '172.20.0.2'));
    nowMs = 150;
    links['br0'] = [own('10.9.0.1', '10.9.0.1/24')];
    assert.ok(signs.leadsTo('br0', '10.9.0.7'));
    assert.ok(!signs.leadsTo('br0', 'fd00::7'));
  });
});
