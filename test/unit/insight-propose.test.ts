import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from '../property.ts';
import { applicationOf } from '../../helper/insight/application.ts';
import { Learner } from '../../helper/insight/propose.ts';
import { proposalRows } from '../../helper/insight/rows.ts';
import { Sightings } from '../../helper/insight/sightings.ts';
import { recordedFacts } from '../../helper/policy/recorded.ts';
import type { RecordedFlow } from '../../helper/policy/recorded.ts';
import { RuleIndex } from '../../helper/policy/rule-index.ts';
import { learned, MOMENTS, propose, refused, START_MS, texts } from './insight-support.ts';
import type { FlowChange } from './insight-support.ts';
import { end } from './container-support.ts';
import { rules as anyRules } from './policy-arbitrary.ts';
import { ports, rule } from './policy-support.ts';

function many(count: number, make: (index: number) => FlowChange): readonly RecordedFlow[] {
  return Array.from({ length: count }, (_, index) => learned(make(index)));
}

/** What decides a recorded flow by these rules alone. */
function winner(rules: readonly Parameters<RuleIndex['add']>[0][], flow: RecordedFlow): string | null {
  return new RuleIndex(rules).evaluate(recordedFacts(flow), MOMENTS.at(flow.timeMs)).rule?.action ?? null;
}

describe('what is proposed', () => {
  test('a browser on many hosts: both ports of the web, any address, one rule', () => {
    const flows = many(412, (index) => ({
      path: '/usr/lib/firefox/firefox', port: index % 3 === 0 ? 80 : 443, protocol: index % 5 === 1 ? 17 : 6,
      address: `203.0.${String(index % 113)}.${String(index % 200)}`, name: `www.site${String(index % 50)}.example`,
    }));
    assert.deepEqual(texts(propose(flows)), ['firefox: ports 80 and 443, any address, for 1000; 412 connections']);
  });

  test('one host: that host; several of one owner: all of his, and the name itself where it was reached', () => {
    assert.deepEqual(texts(propose(many(3, (index) => ({ name: 'example.org', address: `203.0.113.${String(index)}` })))),
      ['curl: port 443, example.org, for 1000; 3 connections']);
    const hosts = ['a.example.org', 'b.example.org', 'example.org', 'a.example.org'];
    assert.deepEqual(texts(propose(hosts.map((name) => learned({ name })))), [
      'curl: port 443, any name below example.org, for 1000; 3 connections', 'curl: port 443, example.org, for 1000; 1 connection',
    ]);
  });

  test('a container of which it is sure: a rule for it, for no user, that opens nothing into it and undoes no refusal of another', () => {
    const of = (name: string, change: FlowChange = {}): FlowChange => ({
      path: null, uid: null, confidence: 'unknown', evidence: 'none', origin: 'forwarded', forwardedFrom: `Container ${name}`, containers: [end(name)], ...change,
    });
    const flows = [learned(of('web')), learned(of('web', { address: '203.0.113.8' })), learned(of('db', { containers: [end('db', { certain: false })] })), refused(of('db'))];
    const proposed = propose(flows);
    assert.deepEqual(texts(proposed).slice(0, 2), [
      'Container web: port 443, 203.0.113.7; 1 connection', 'Container web: port 443, 203.0.113.8; 1 connection',
    ]);
    const [row] = proposalRows(proposed, String);
    assert.deepEqual([row?.rule?.container, row?.rule?.user, row?.users], ['web', undefined, []]);
    assert.deepEqual([...proposed.remainder?.reasons ?? []], [['forwarded', 1]]);
  });

  test('hosts below a public suffix belong to different owners', () => {
    assert.deepEqual(texts(propose(['one.co.uk', 'two.co.uk'].map((name) => learned({ name })))), [
      'curl: port 443, one.co.uk, for 1000; 1 connection', 'curl: port 443, two.co.uk, for 1000; 1 connection',
    ]);
  });

  test('one or two addresses without a name: these; more: any', () => {
    const to = (count: number): readonly string[] => texts(propose(many(count, (index) => ({ address: `203.0.113.${String(index)}` }))));
    assert.deepEqual(to(2), ['curl: port 443, 203.0.113.0, for 1000; 1 connection', 'curl: port 443, 203.0.113.1, for 1000; 1 connection']);
    assert.deepEqual(to(3), ['curl: port 443, any address, for 1000; 3 connections']);
  });

  test('neighbours: two as they are, more as their network', () => {
    const near = many(5, (index) => ({ address: `192.168.7.${String(index + 1)}`, port: 631 }));
    assert.deepEqual(texts(propose(near)), ['curl: port 631, 192.168.7.0/24, for 1000; 5 connections']);
    assert.equal(propose(near.slice(0, 2)).rules.length, 2);
    const six = many(4, (index) => ({ address: `fd00::${String(index + 1)}`, port: 22 }));
    assert.deepEqual(texts(propose(six)), ['curl: port 22, fd00::/64, for 1000; 4 connections']);
  });

  test('a name that only a service of the machine asked for is no ground: the address is', () => {
    const flow = learned({ names: [{ name: 'example.org', source: 'machine' }] });
    assert.deepEqual(texts(propose([flow])), ['curl: port 443, 203.0.113.7, for 1000; 1 connection']);
  });

  test('lookups are the name server, unless the rule for the name covers them', () => {
    const lookup = (name: string): RecordedFlow => learned({ address: '192.168.7.1', port: 53, protocol: 17, name, isLookup: true });
    assert.deepEqual(texts(propose([lookup('example.org'), learned({ name: 'example.org' })])),
      ['curl: port 443, example.org, for 1000; 2 connections']);
    assert.deepEqual(texts(propose([lookup('example.org'), lookup('other.example')])),
      ['curl: port 53 by udp, 192.168.7.1, for 1000; 2 connections']);
  });

  test('ping is its message type, of both versions', () => {
    const [only] = propose([learned({ path: '/usr/bin/ping', protocol: 1, port: 8 })]).rules;
    assert.deepEqual(only?.rule.match, { path: '/usr/bin/ping', address: '203.0.113.7', protocols: [1, 58], ports: [{ first: 8, last: 8 }], uid: 1000 });
  });

  test('a program with a port for each peer gets the range, not a hundred ports', () => {
    const peers = many(300, (index) => ({ path: '/usr/bin/peer', port: 20_000 + index * 7, protocol: 17, address: `203.0.113.${String(index % 250)}` }));
    assert.deepEqual(texts(propose(peers)), ['peer: ports 1024-65535 by udp, any address, for 1000; 300 connections']);
  });

  test('the same for two users is one rule without a user; for one user it names him', () => {
    const [one] = propose([learned(), learned({ uid: 1001 })]).rules;
    assert.equal(one?.rule.match.uid, undefined);
    assert.deepEqual(one?.uids, [1000, 1001]);
    assert.equal(propose([learned()]).rules[0]?.rule.match.uid, 1000);
  });

  test('an application is its package, its Flatpak, its script, its path: the first that is known', () => {
    const match = (identity: RecordedFlow['identity'] & object): unknown => {
      const found = applicationOf(learned({ identity, path: identity.path }));
      return typeof found === 'string' ? found : found.match;
    };
    assert.deepEqual(match({ path: '/usr/bin/curl', package: 'curl' }), { package: 'curl' });
    assert.deepEqual(match({ path: '/app/bin/x', flatpak: 'org.example.App' }), { flatpak: 'org.example.App' });
    assert.deepEqual(match({ path: '/snap/x/1/x', snap: 'x' }), { snap: 'x' });
    assert.deepEqual(match({ path: '/usr/bin/python3', package: 'python3', interpreter: true, script: '/opt/a.py', scriptEvidence: 'exec' }),
      { script: '/opt/a.py' });
    assert.deepEqual(match({ path: '/opt/tool' }), { path: '/opt/tool' });
  });

  test('the sentence and the rule that Add takes say the same', () => {
    const flows = many(9, (index) => ({ path: '/usr/bin/web', port: index % 2 === 0 ? 80 : 443, address: `203.0.113.${String(index)}` }));
    const [row] = proposalRows(propose(flows), (uid) => (uid === 1000 ? 'alice' : String(uid)));
    assert.deepEqual(row?.rule, {
      action: 'allow', name: 'web: ports 80 and 443, any address', group: 'Learned', path: '/usr/bin/web', port: '80,443', protocol: 'tcp', user: '1000',
    });
    assert.equal(row.text, 'web: ports 80 and 443, any address, for alice; 9 connections');
    assert.deepEqual([row.coverage, row.confidence, row.examples.length, row.users], [100, 'certain', 5, ['alice']]);
  });

  test('a name with what would act on a terminal is shown without it', () => {
    const [row] = proposalRows(propose([learned({ path: '/tmp/a\n\u202eb' })]), String);
    assert.equal(row?.rule?.name, 'a\u{fffd}\u{fffd}b: port 443, 203.0.113.7');
    assert.equal(row.rule.path, '/tmp/a\n\u202eb');
  });
});

describe('what is not proposed', () => {
  const left = (flows: readonly RecordedFlow[], ...present: Parameters<typeof propose>[1] & object): unknown => {
    const { rules, remainder } = propose(flows, present);
    return [rules.length, Object.fromEntries(remainder?.reasons ?? [])];
  };

  test('anything of a program that is not certain, was changed, or only claims its script', () => {
    const interpreter = { path: '/usr/bin/python3', interpreter: true } as const;
    assert.deepEqual(left([
      learned({ confidence: 'likely', evidence: 'sock_diag' }), learned({ confidence: 'unknown' }), learned({ uid: null }),
      learned({ path: null, identity: { path: null } }),
      learned({ identity: { path: '/usr/bin/curl', integrity: 'changed' } }),
      learned({ identity: { ...interpreter, script: '/tmp/x.py', scriptEvidence: 'claimed' } }),
      learned({ identity: interpreter }),
      learned({ forwardedFrom: 'Container 1' }),
    ]), [0, { 'uncertain': 4, 'changed': 1, 'claimed-script': 1, 'interpreter': 1, 'forwarded': 1 }]);
  });

  test('what a rule asks about, decides by now, or what servers answer', () => {
    assert.deepEqual(left([learned()], rule('q', 'ask', { path: '/usr/bin/curl' })), [0, { asked: 1 }]);
    assert.deepEqual(left([learned()], rule('a', 'allow', { path: '/usr/bin/curl' })), [0, {}]);
    assert.equal(propose([learned()], [rule('a', 'allow', { path: '/usr/bin/curl' })], true).rules.length, 1);
    assert.deepEqual(left([learned({ answersPeer: true })]), [0, {}]);
  });

  test('a wide rule that would undo a refusal: what was seen instead', () => {
    const flows = many(4, (index) => ({ address: `203.0.113.${String(index)}` }));
    assert.deepEqual(texts(propose([...flows, refused({ address: '203.0.113.99' })])).length, 4);
    assert.deepEqual(left([learned(), refused()]), [0, { refused: 1 }]);
  });

  test('a rule that goes before a denial of the user: it comes with a lower priority', () => {
    const flows = many(4, (index) => ({ address: `203.0.113.${String(index)}` }));
    const denial = rule('no-net', 'deny', { address: '198.51.100.0/24' });
    const { rules } = propose(flows, [denial]);
    assert.deepEqual(rules.map((one) => [one.rule.priority, one.rule.match.address]), [[-1, undefined]]);
    assert.equal(winner([denial, ...rules.map((one) => one.rule)], learned({ address: '198.51.100.7' })), 'deny');
  });

  test('more kinds of connection than there is room for: they are counted', () => {
    const sightings = new Sightings(2);
    const taken = many(3, (index) => ({ port: index + 1 })).map((flow) => {
      const application = applicationOf(flow);
      return typeof application !== 'string' && sightings.take(application, 1000, flow, recordedFacts(flow));
    });
    assert.deepEqual(taken, [true, true, false]);
  });
});

test('more rules than one answer holds: those of the fewest connections are left out, and counted', () => {
  const { rules, remainder } = propose(many(450, (index) => ({ path: `/opt/p${String(index)}` })));
  assert.deepEqual([rules.length, remainder?.reasons.get('crowded'), remainder?.tally.connections], [400, 50, 50]);
});

test('more refusals than can be kept: nothing is proposed, rather than something that undoes one', () => {
  const learner = new Learner({ present: [], moments: MOMENTS, includeDecided: false, refusalLimit: 2 });
  for (const flow of [...many(3, (index) => ({ port: index + 1 })), ...[91, 92, 93].map((port) => refused({ port }))]) learner.take(flow);
  const { rules, remainder } = learner.result();
  assert.deepEqual([rules.length, remainder?.reasons.get('refused')], [0, 3]);
});

const PATHS = ['/usr/bin/a', '/usr/bin/b', '/usr/bin/python3'] as const;
const HOSTS = [undefined, 'example.org', 'www.example.org', 'cdn.example.net', 'a.github.io', 'b.github.io'] as const;
const ADDRESSES = ['203.0.113.1', '203.0.113.2', '198.51.100.3', '192.168.1.4', '192.168.1.5', '192.168.1.6', '10.0.0.1', '2001:db8::1', 'fd00::2'] as const;

const change: fc.Arbitrary<FlowChange & { readonly name?: string }> = fc.record({
  path: fc.constantFrom(...PATHS), uid: fc.constantFrom(0, 1000, 1001), address: fc.constantFrom(...ADDRESSES), name: fc.constantFrom(...HOSTS),
  port: fc.constantFrom(53, 80, 443, 8080, 8, 40_001, 40_002), protocol: fc.constantFrom(6, 6, 17, 1, 58, 47),
  confidence: fc.constantFrom('certain', 'certain', 'certain', 'certain', 'likely'),
  script: fc.constantFrom(null, 'exec', 'claimed'), isLookup: fc.constantFrom(false, false, false, true),
  refused: fc.constantFrom(false, false, false, false, false, true),
}).map(({ script, refused: no, name, path, ...flow }) => ({
  ...flow, path,
  ...(name === undefined ? {} : { name }),
  identity: {
    path,
    ...(path === '/usr/bin/a' ? {} : { package: path.slice(9) }),
    ...(path.endsWith('3') ? { interpreter: true, ...(script === null ? {} : { script: '/opt/x.py', scriptEvidence: script }) } : {}),
  },
  ...(no ? { decision: { action: 'deny' as const, reason: 'rule' as const, ruleId: 'r' } } : {}),
}));
const flowsOf = fc.array(change, { maxLength: 60 }).map((all) => all.map((one) => learned({ ...one, timeMs: START_MS })));

/** The same flow, if all that is said of its program were certain. */
function certain(flow: RecordedFlow): RecordedFlow {
  const { identity = { path: flow.path } } = flow;
  return { ...flow, confidence: 'certain', identity: { ...identity, ...(identity.script === undefined ? {} : { scriptEvidence: 'exec' }) } };
}

describe('whatever was recorded', () => {
  test('all proposals together cover each connection that is not said to be left out', () => {
    fc.assert(fc.property(flowsOf, (flows) => {
      const { rules, remainder } = propose(flows);
      const eligible = flows.filter(({ decision }) => decision.reason === 'mode-learning');
      const index = new RuleIndex(rules.map((one) => one.rule));
      const uncovered = eligible.filter((flow) => index.evaluate(recordedFacts(flow), MOMENTS.at(flow.timeMs)).rule?.action !== 'allow');
      const leftOut = remainder?.tally.connections ?? 0;
      // A flow that was left out because its program is not certain may be matched all the same: rules take likely ones too.
      assert.ok(uncovered.length <= leftOut);
      assert.ok(uncovered.every((flow) => remainder?.reasons.has('refused') === true || typeof applicationOf(flow) === 'string'));
      assert.equal(rules.reduce((sum, { tally }) => sum + tally.connections, 0) + leftOut, eligible.length);
    }), { numRuns: 300 });
  });

  test('no proposal matches another application, or a user for whom it was not seen', () => {
    fc.assert(fc.property(flowsOf, flowsOf, (flows, others) => {
      for (const { rule: proposed, uids } of propose(flows).rules) {
        const seen = flows.map((flow) => applicationOf(flow)).filter((one) => typeof one !== 'string').map(({ key }) => key);
        for (const other of others) {
          if (winner([proposed], other) === null) continue;
          const application = applicationOf(certain(other));
          assert.ok(typeof application !== 'string' && seen.includes(application.key));
          assert.ok(uids.length > 1 || uids[0] === other.uid);
        }
      }
    }), { numRuns: 200 });
  });

  test('no proposal allows what was refused, nor does one go before a denial that is in force', () => {
    fc.assert(fc.property(flowsOf, anyRules, (flows, present) => {
      const { rules } = propose(flows, present);
      const proposed = rules.map((one) => one.rule);
      const together = new RuleIndex([...present.filter(({ tier }) => tier !== 'built-in'), ...proposed]);
      const ids = new Set(proposed.map(({ id }) => id));
      for (const flow of flows.filter(({ decision }) => decision.action === 'deny')) {
        const decided = together.evaluate(recordedFacts(flow), MOMENTS.at(flow.timeMs)).rule;
        assert.ok(decided === null || !ids.has(decided.id), `${JSON.stringify(decided)} allows ${JSON.stringify(flow.tuple)}`);
      }
    }), { numRuns: 300 });
  });

  test('the same flows give the same rules, in whatever order they are read', () => {
    fc.assert(fc.property(flowsOf, (flows) => {
      const said = (list: readonly RecordedFlow[]): readonly string[] => [...texts(propose(list))].sort();
      assert.deepEqual(said(flows), said(flows.toReversed()));
    }), { numRuns: 100 });
  });
});

test('a denial in force keeps refusing whatever learning proposes next to it', () => {
  const flows = many(10, (index) => ({ address: `203.0.113.${String(index)}`, port: 443 }));
  const denial = rule('mail', 'deny', ports(25));
  const { rules } = propose([...flows, learned({ port: 465 }), learned({ port: 25, decision: { action: 'deny', reason: 'rule', ruleId: 'mail' } })], [denial]);
  assert.equal(winner([denial, ...rules.map((one) => one.rule)], learned({ port: 25 })), 'deny');
});
