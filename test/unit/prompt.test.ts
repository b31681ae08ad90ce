import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from '../property.ts';
import { answerDomains, answerRule, answerRuleId } from '../../helper/prompt/answer-rule.ts';
import { PromptBook } from '../../helper/prompt/book.ts';
import type { Prompt, PromptLimits } from '../../helper/prompt/book.ts';
import { choices } from '../../helper/prompt/choices.ts';
import type { ChoiceFacts } from '../../helper/prompt/choices.ts';
import { questionKey } from '../../helper/prompt/question.ts';
import type { Question } from '../../helper/prompt/question.ts';
import type { NameSource } from '../../helper/contract/vocabulary.ts';
import { parseRuleId } from '../../helper/policy/program.ts';
import { tuple } from './policy-support.ts';
import { nonces, owner, question } from './prompt-support.ts';

const TIMEOUT_MS = 30_000;
const at = (ms: number): { bootNs: bigint; wallMs: number } => ({ bootNs: BigInt(ms) * 1_000_000n, wallMs: 1_000_000 + ms });

function book(limits: Partial<PromptLimits> = {}): PromptBook<null> {
  return new PromptBook({ newNonce: nonces(), describe: () => null, limits });
}

function to(host: string, change: Partial<Question> = {}): Question {
  return question({ tuple: tuple({ destinationAddress: host }), ...change });
}

function joined(prompts: PromptBook<null>, asked: Question, flow: number, ms = 0): Prompt<null> {
  const result = prompts.join(asked, flow, TIMEOUT_MS, at(ms));
  assert.ok(result.outcome !== 'limit');
  return result.prompt;
}

describe('joining', () => {
  const same: readonly (readonly [string, Question, Question, boolean])[] = [
    ['the same program, user, address and port', question(), question({ owner: owner({ pid: 101, cookie: 8n }) }), true],
    ['another port', question(), question({ tuple: tuple({ destinationPort: 80 }) }), false],
    ['another protocol', question(), question({ tuple: tuple({ protocol: 17 }) }), false],
    ['another user', question(), question({ owner: owner({ uid: 1001 }) }), false],
    ['another program', question(), question({ path: '/usr/bin/wget' }), false],
    ['both addresses of one name', to('192.0.2.1', { name: 'example.org' }),
      question({ name: 'EXAMPLE.org', tuple: tuple({ family: 6, destinationAddress: '2001:db8::1' }) }), true],
    ['two names behind one address', question({ name: 'a.example' }), question({ name: 'b.example' }), false],
    ['two lookups of one name over UDP and TCP',
      question({ name: 'example.org', isLookup: true, tuple: tuple({ protocol: 17, destinationPort: 53 }) }),
      question({ name: 'example.org', isLookup: true, tuple: tuple({ protocol: 6, destinationPort: 53 }) }), true],
    ['lookups of two names', question({ name: 'a.example', isLookup: true }), question({ name: 'b.example', isLookup: true }), false],
    ['two unverified programs that claim one path',
      question({ path: null, claimedPath: '/x' }),
      question({ path: null, claimedPath: '/x', owner: owner({ executable: { device: 1, inode: 9n, generation: 0, ctimeSec: 1 } }) }), false],
    ['two echo requests to one host',
      question({ tuple: tuple({ protocol: 1, sourcePort: 5, destinationPort: 8 }) }),
      question({ tuple: tuple({ protocol: 1, sourcePort: 6, destinationPort: 8 }) }), true],
  ];
  for (const [name, first, second, joins] of same) {
    test(`join: ${name} ${joins ? 'is one question' : 'is another question'}`, () => {
      assert.equal(questionKey(first) === questionKey(second), joins);
    });
  }

  test('join: a repeat is held by the same prompt and counted', () => {
    const prompts = book();
    const first = joined(prompts, question(), 1);
    const second = joined(prompts, question(), 2, 10_000);
    assert.equal(second.nonce, first.nonce);
    assert.deepEqual(second.flows, [1, 2]);
    assert.equal(second.count, 2);
    assert.equal(second.deadlineNs, at(30_000).bootNs);
  });

  test('join: one prompt of an application is visible, the next is raised when it ends', () => {
    const prompts = book();
    const first = joined(prompts, to('10.0.0.1'), 1);
    const second = joined(prompts, to('10.0.0.2'), 2);
    const other = joined(prompts, to('10.0.0.1', { path: '/usr/bin/wget' }), 3);
    assert.deepEqual([first.status, second.status, other.status], ['visible', 'queued', 'visible']);
    assert.equal(prompts.byNonce(second.nonce), null);
    const ended = prompts.answer(first.nonce);
    assert.equal(ended?.raised?.nonce, second.nonce);
    assert.equal(prompts.byNonce(second.nonce)?.status, 'visible');
  });

  test('join: the same program of two users shows a prompt to each', () => {
    const prompts = book();
    assert.equal(joined(prompts, question(), 1).status, 'visible');
    assert.equal(joined(prompts, question({ owner: owner({ uid: 1001 }) }), 2).status, 'visible');
  });
});

describe('limits', () => {
  const limited: readonly (readonly [string, Partial<PromptLimits>, (number: number) => Question])[] = [
    ['in all', { pending: 3 }, (number) => to('10.0.0.1', { path: `/p${String(number)}`, owner: owner({ uid: number }) })],
    ['per user', { pendingPerUid: 3 }, (number) => to('10.0.0.1', { path: `/p${String(number)}` })],
    ['per application', { pendingPerApplication: 3 }, (number) => to(`10.0.0.${String(number)}`)],
  ];
  for (const [name, limits, make] of limited) {
    test(`join: the limit ${name} holds, is counted, and frees when a prompt ends`, () => {
      const prompts = book(limits);
      const first = joined(prompts, make(1), 1);
      joined(prompts, make(2), 2);
      joined(prompts, make(3), 3);
      assert.equal(prompts.join(make(4), 4, TIMEOUT_MS, at(0)).outcome, 'limit');
      assert.equal(prompts.refusedByLimit, 1);
      assert.equal(prompts.join(make(3), 5, TIMEOUT_MS, at(0)).outcome, 'joined');
      prompts.answer(first.nonce);
      assert.notEqual(prompts.join(make(4), 6, TIMEOUT_MS, at(0)).outcome, 'limit');
    });
  }

  test('join: the flows of one prompt are limited', () => {
    const prompts = book({ flowsPerPrompt: 2 });
    joined(prompts, question(), 1);
    joined(prompts, question(), 2);
    assert.equal(prompts.join(question(), 3, TIMEOUT_MS, at(0)).outcome, 'limit');
  });

  test('expire: the oldest leaves a full inbox', () => {
    const prompts = book({ inbox: 2 });
    const all = [1, 2, 3].map((number) => joined(prompts, to('10.0.0.1', { path: `/p${String(number)}` }), number, number));
    const ended = prompts.expire(at(60_000).bootNs);
    assert.equal(ended[2]?.dropped?.nonce, all[0]?.nonce);
    assert.deepEqual(prompts.inbox().map((prompt) => prompt.nonce), [all[2]?.nonce, all[1]?.nonce]);
    assert.equal(prompts.byNonce(all[0]?.nonce ?? ''), null);
  });
});

describe('ends', () => {
  test('answer: a nonce is good once', () => {
    const prompts = book();
    const { nonce } = joined(prompts, question(), 1);
    assert.deepEqual(prompts.answer(nonce)?.prompt.flows, [1]);
    assert.equal(prompts.answer(nonce), null);
    assert.equal(prompts.answer('f'.repeat(32)), null);
  });

  test('expire: gives the held flows to be refused and keeps the prompt in the inbox', () => {
    const prompts = book();
    const { nonce } = joined(prompts, question(), 1);
    joined(prompts, question(), 2, 29_999);
    assert.deepEqual(prompts.expire(at(29_999).bootNs), []);
    const [ended] = prompts.expire(at(30_000).bootNs);
    assert.deepEqual(ended?.flows, [1, 2]);
    assert.equal(prompts.byNonce(nonce)?.status, 'expired');
    assert.equal(prompts.pendingCount, 0);
    assert.deepEqual(prompts.answer(nonce)?.prompt.flows, []);
  });

  test('expire: a queued prompt that is not due yet is raised, one that is due is not shown for an instant', () => {
    const prompts = book();
    joined(prompts, to('10.0.0.1'), 1, 0);
    const due = joined(prompts, to('10.0.0.2'), 2, 5);
    const later = joined(prompts, to('10.0.0.3'), 3, 9_000);
    const ended = prompts.expire(at(30_010).bootNs);
    assert.deepEqual(ended.map(({ raised }) => raised?.nonce ?? null), [later.nonce, null]);
    assert.equal(prompts.byNonce(due.nonce)?.status, 'expired');
  });

  test('join: a new question takes the place of its expired one in the inbox', () => {
    const prompts = book();
    const old = joined(prompts, question(), 1);
    prompts.expire(at(40_000).bootNs);
    const result = prompts.join(question(), 2, TIMEOUT_MS, at(41_000));
    assert.equal(result.outcome === 'limit' ? null : result.replaced?.nonce, old.nonce);
    assert.equal(prompts.byNonce(old.nonce), null);
    assert.deepEqual(prompts.inbox(), []);
  });

  test('left: tells which prompts hold nothing any more', () => {
    const prompts = book();
    const prompt = joined(prompts, question(), 1);
    joined(prompts, question(), 2);
    assert.deepEqual(prompts.left([1, 99]), []);
    assert.deepEqual(prompts.left([2]), [prompt]);
    assert.equal(prompts.withdraw(prompt)?.raised, null);
    assert.equal(prompts.pendingCount, 0);
  });
});

describe('invariants', () => {
  type Step =
    | { readonly do: 'join'; readonly program: number; readonly host: number; readonly uid: number }
    | { readonly do: 'answer' | 'withdraw' | 'left'; readonly pick: number }
    | { readonly do: 'wait'; readonly ms: number };
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant('join' as const), program: fc.nat(3), host: fc.nat(4), uid: fc.nat(1) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('answer', 'withdraw', 'left'), pick: fc.nat(100) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(20_000) }) },
  );

  /** Every flow that came in, with what became of it. */
  class World {
    readonly prompts = book({ pending: 8, pendingPerUid: 6, pendingPerApplication: 3, inbox: 3, flowsPerPrompt: 4 });
    readonly fate = new Map<number, 'held' | 'answered' | 'refused' | 'withdrawn'>();
    readonly used = new Set<string>();
    ms = 0;

    run(one: Step): void {
      switch (one.do) {
        case 'join': {
          const flow = this.fate.size;
          const asked = to(`10.0.0.${String(one.host)}`, { path: `/p${String(one.program)}`, owner: owner({ uid: one.uid }) });
          const limit = this.prompts.join(asked, flow, TIMEOUT_MS, at(this.ms)).outcome === 'limit';
          this.fate.set(flow, limit ? 'refused' : 'held');
          break;
        }
        case 'wait':
          this.ms += one.ms;
          for (const ended of this.prompts.expire(at(this.ms).bootNs)) this.end(ended.flows, 'refused');
          break;
        default:
          this.touch(one.do, one.pick);
      }
    }

    touch(what: 'answer' | 'withdraw' | 'left', pick: number): void {
      const all = [...this.prompts.pending(), ...this.prompts.inbox()];
      const prompt = all[pick % Math.max(1, all.length)];
      if (prompt === undefined) return;
      if (what === 'left') {
        const [flow] = prompt.flows;
        if (flow === undefined) return;
        this.end([flow], 'withdrawn');
        for (const empty of this.prompts.left([flow])) this.prompts.withdraw(empty);
        return;
      }
      const ended = what === 'answer' ? this.prompts.answer(prompt.nonce) : this.prompts.withdraw(prompt);
      if (ended === null) {
        assert.equal(prompt.status, 'queued');
        return;
      }
      assert.ok(!this.used.has(prompt.nonce));
      this.used.add(prompt.nonce);
      this.end(ended.prompt.flows, what === 'answer' ? 'answered' : 'withdrawn');
    }

    end(flows: readonly number[], fate: 'answered' | 'refused' | 'withdrawn'): void {
      for (const flow of flows) {
        assert.equal(this.fate.get(flow), 'held', 'a flow ends once');
        this.fate.set(flow, fate);
      }
    }

    check(): void {
      const holders = this.prompts.pending().flatMap((prompt) => prompt.flows);
      const held = [...this.fate].filter(([, fate]) => fate === 'held').map(([flow]) => flow);
      assert.deepEqual(holders.toSorted((a, b) => a - b), held, 'every held flow has one prompt');
      const visible = this.prompts.pending().filter((prompt) => prompt.status === 'visible').map((prompt) => prompt.application);
      assert.equal(new Set(visible).size, visible.length, 'one visible prompt for each application');
      assert.deepEqual(new Set(this.prompts.pending().map((prompt) => prompt.application)), new Set(visible), 'and never none');
      for (const prompt of this.prompts.pending()) assert.ok(prompt.deadlineNs > at(this.ms).bootNs - 1n);
      assert.ok(this.prompts.pendingCount <= 8 && this.prompts.inbox().length <= 3);
    }
  }

  test('PromptBook: every flow is held by exactly one prompt or ended exactly once, whatever happens', () => {
    fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const world = new World();
      for (const one of steps) {
        world.run(one);
        world.check();
      }
    }), { numRuns: 300 });
  });
});

describe('what is offered', () => {
  const plain: ChoiceFacts = { system: false, hasSession: true, requireKernelIdentity: false, expired: false };
  const table: readonly (readonly [string, Partial<Question>, Partial<ChoiceFacts>, string, string, readonly string[]])[] = [
    ['a browser', { path: '/usr/lib/firefox/firefox' }, {}, 'always', 'port', ['once', 'process', 'session', 'boot', 'until', 'always']],
    ['a one-shot tool', {}, {}, 'once', 'host', ['once', 'process', 'session', 'boot', 'until', 'always']],
    ['a system service', { path: '/usr/sbin/chronyd', owner: owner({ uid: 0 }) }, { system: true, hasSession: false }, 'always', 'host',
      ['once', 'process', 'boot', 'until', 'always']],
    ['any other program', { path: '/opt/app' }, {}, 'always', 'host', ['once', 'process', 'session', 'boot', 'until', 'always']],
    ['a program found through /proc', { path: '/opt/app', confidence: 'likely', evidence: 'sock_diag' }, {}, 'always', 'host',
      ['once', 'process', 'session', 'boot', 'until', 'always']],
    ['the same where the kernel must identify', { path: '/opt/app', confidence: 'likely', evidence: 'sock_diag' },
      { requireKernelIdentity: true }, 'once', 'host', ['once']],
    ['an unknown program', { path: null, confidence: 'unknown' }, {}, 'once', 'host', ['once', 'process']],
    ['an unknown program found through /proc', { path: null, confidence: 'unknown', evidence: 'sock_diag' }, {}, 'once', 'host', ['once']],
    ['a one-shot tool, too late', {}, { expired: true }, 'session', 'host', ['process', 'session', 'boot', 'until', 'always']],
  ];
  for (const [name, change, situation, lifetime, scope, lifetimes] of table) {
    test(`choices: ${name} gets ${lifetime}, ${scope}`, () => {
      const offered = choices(question(change), { ...plain, ...situation });
      assert.equal(offered.defaultLifetime, lifetime);
      assert.equal(offered.defaultScope, scope);
      assert.deepEqual(offered.lifetimes, lifetimes);
      assert.deepEqual(offered.scopes, ['host', 'port', 'any']);
    });
  }
});

describe('an answer by name', () => {
  const named = (name: string, source: NameSource = 'program', change: Partial<Question> = {}): Question =>
    question({ name, names: [{ name, source }], ...change });
  const facts: ChoiceFacts = { system: false, hasSession: true, requireKernelIdentity: false, expired: false };
  const matches = (asked: Question, scope: 'host' | 'domain' | 'port'): unknown => answerDomains(asked, scope).map((domain) => {
    const { match } = answerRule(asked, { action: 'allow', lifetime: 'always', scope, session: null, id: 'x', created: 5, domain });
    return Object.fromEntries(Object.entries(match).filter(([key]) => key !== 'path' && key !== 'uid'));
  });
  const service = { ports: [{ first: 443, last: 443 }], protocols: [6] };

  test('a host is its name on this port, whatever its addresses are', () => {
    assert.deepEqual(matches(named('www.example.org'), 'host'), [{ ...service, domain: 'www.example.org' }]);
    assert.deepEqual(matches(named('printer.lan', 'hosts'), 'host'), [{ ...service, domain: 'printer.lan' }]);
    assert.deepEqual(matches(named('www.example.org'), 'port'), [service]);
  });

  test('a domain is all names of its owner; the name that was asked about is always among them', () => {
    assert.deepEqual(matches(named('www.example.org'), 'domain'), [{ ...service, domain: '*.example.org' }]);
    assert.deepEqual(matches(named('example.org'), 'domain'), [{ ...service, domain: 'example.org' }, { ...service, domain: '*.example.org' }]);
    assert.deepEqual(choices(named('www.example.org'), facts).scopes, ['host', 'domain', 'port', 'any']);
  });

  test('of a lookup the name is meant, by any port, and not the name server', () => {
    const lookup = named('www.example.org', 'program', { isLookup: true, tuple: tuple({ protocol: 17, destinationPort: 53 }) });
    assert.deepEqual(matches(lookup, 'host'), [{ domain: 'www.example.org' }]);
    assert.deepEqual(matches(lookup, 'domain'), [{ domain: '*.example.org' }]);
    assert.deepEqual(matches(lookup, 'port'), [{ ports: [{ first: 53, last: 53 }], protocols: [6, 17] }]);
  });

  const byAddress: readonly (readonly [string, Question])[] = [
    ['a name that a service of the machine asked for', named('example.org', 'machine')],
    ['an answer to a peer that spoke first', named('example.org', 'program', { answersPeer: true })],
    ['a flow without a name', question()],
    ['a name that is none', named('not a name')],
    ['an address in the place of a name', named('192.0.2.7')],
  ];
  for (const [what, asked] of byAddress) {
    test(`${what} is answered by address, and no domain is offered`, () => {
      assert.deepEqual(matches(asked, 'host'), [{ ...service, address: '10.77.0.2' }]);
      assert.deepEqual(choices(asked, facts).scopes, ['host', 'port', 'any']);
    });
  }

  test('below a public suffix the name alone is offered', () => {
    for (const name of ['github.io', 'router', 'co.uk']) assert.deepEqual(choices(named(name), facts).scopes, ['host', 'port', 'any'], name);
  });

  test('names and ids of the rules say the domain', () => {
    const asked = named('www.example.org');
    assert.equal(answerRule(asked, { action: 'allow', lifetime: 'always', scope: 'host', session: null, id: 'x', created: 5, domain: 'www.example.org' }).name, 'curl: www.example.org, tcp 443');
    assert.equal(answerRuleId(asked, 'domain', 'ab12', '*.example.org'), 'curl-all-example.org-443-ab12');
    fc.assert(fc.property(fc.domain(), (domain) => {
      const id = answerRuleId(named(domain), 'domain', 'ab12', `*.${domain}`);
      assert.ok(parseRuleId(id).ok && id.endsWith('-ab12'), id);
    }));
  });
});

describe('the rule of an answer', () => {
  const rule = (change: Partial<Question>, scope: 'host' | 'port' | 'any', lifetime: 'always' | 'process' | 'session' = 'always') =>
    answerRule(question(change), { action: 'allow', lifetime, scope, session: 's1', id: 'x', created: 5 });

  test('answerRule: a host means this address, port and protocol, for this user', () => {
    assert.deepEqual(rule({}, 'host').match, {
      path: '/usr/bin/curl', uid: 1000, address: '10.77.0.2', ports: [{ first: 443, last: 443 }], protocols: [6],
    });
  });

  test('answerRule: a port means any host on it, any means the program', () => {
    assert.deepEqual(rule({}, 'port').match, { path: '/usr/bin/curl', uid: 1000, ports: [{ first: 443, last: 443 }], protocols: [6] });
    assert.deepEqual(rule({}, 'any').match, { path: '/usr/bin/curl', uid: 1000 });
  });

  test('answerRule: a ping is allowed by protocol, not by a port', () => {
    assert.deepEqual(rule({ tuple: tuple({ protocol: 1, destinationPort: 8 }) }, 'host').match, {
      path: '/usr/bin/curl', uid: 1000, address: '10.77.0.2', protocols: [1, 58],
    });
  });

  test('answerRule: an unverified path never becomes part of a rule', () => {
    const { match } = rule({ path: null, claimedPath: '/usr/bin/curl', confidence: 'unknown' }, 'any', 'process');
    assert.deepEqual(match, { uid: 1000, process: { pid: 100, startNs: 5n } });
  });

  test('answerRule: a session is bound to the session, and to nothing more', () => {
    assert.deepEqual(rule({}, 'any', 'session').match, { path: '/usr/bin/curl', uid: 1000, session: 's1' });
  });

  const ids: readonly (readonly [string, Partial<Question>, 'host' | 'port' | 'any', string])[] = [
    ['a host', {}, 'host', 'curl-10.77.0.2-443-ab12'],
    ['a port', {}, 'port', 'curl-443-ab12'],
    ['anything', {}, 'any', 'curl-any-ab12'],
    ['IPv6', { tuple: tuple({ family: 6, destinationAddress: '2001:db8::7' }) }, 'host', 'curl-2001-db8-7-443-ab12'],
    ['ping', { tuple: tuple({ protocol: 58, destinationPort: 128 }) }, 'port', 'curl-icmp-ab12'],
    ['an unknown program', { path: null }, 'any', 'program-any-ab12'],
    ['a name that is not plain', { path: '/opt/Žluťoučký kůň' }, 'any', 'lu-ou-k-k-any-ab12'],
  ];
  for (const [name, change, scope, wanted] of ids) {
    test(`answerRuleId: ${name} reads ${wanted}`, () => {
      assert.equal(answerRuleId(question(change), scope, 'ab12'), wanted);
    });
  }

  test('answerRuleId: is a rule id whatever the program is called', () => {
    fc.assert(fc.property(fc.string({ maxLength: 300 }), fc.ipV6(), fc.constantFrom('host', 'port', 'any'), (name, address, scope) => {
      const id = answerRuleId(question({ path: `/${name}`, tuple: tuple({ family: 6, destinationAddress: address }) }), scope, 'ab12');
      assert.ok(parseRuleId(id).ok, id);
      assert.ok(id.endsWith('-ab12'));
    }));
  });
});
