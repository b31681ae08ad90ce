/** Somebody changes our netfilter rules while the helper runs: how soon they are back, what is said of it, what it costs. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { HelperClient } from '../../helper/contract/client.ts';
import type { NetfilterChanges } from '../../native/binding.ts';
import { Lab } from '../lab/lab.ts';
import { ROOT } from '../lab/process.ts';
import type { Backend } from '../lab/ruleset-client.ts';
import { FULL_SIZE, clientOf, noLab, until } from './support.ts';
import { mustHold } from '../must-hold.ts';
import { RulesBed, listing, oursIn } from './support-rules.ts';

const skip = noLab();
const ROUNDS = FULL_SIZE ? 50 : 15;
/** Enough for several seconds of a tight loop. */
const FLUSHES = FULL_SIZE ? 5000 : 600;
/** The helper looks twenty times in a row, then fifteen times a second. */
const LOOKS_AT_ONCE = 20;
const LOOKS_PER_S = 15;

interface Damage {
  readonly name: string;
  /** See `scriptFor`. */
  readonly script: string;
  readonly backends: readonly Backend[];
}

const BOTH: readonly Backend[] = ['iptables-nft', 'iptables-legacy'];

const DAMAGES: readonly Damage[] = [
  { name: 'iptables -F', script: 'PROGRAM mangle -F; PROGRAM filter -F', backends: BOTH },
  { name: 'nft flush ruleset', script: 'nft flush ruleset', backends: ['iptables-nft'] },
  { name: 'a deleted table', script: 'nft delete table ip mangle; nft delete table ip6 mangle', backends: ['iptables-nft'] },
  {
    name: 'a deleted chain', backends: BOTH,
    script: 'PROGRAM mangle -D OUTPUT -j BASTION_HOLD, -F BASTION_HOLD, -X BASTION_HOLD',
  },
  { name: 'a deleted jump', script: 'PROGRAM mangle -D OUTPUT -j BASTION_HOLD', backends: BOTH },
  { name: 'a doubled jump', script: 'PROGRAM mangle -A OUTPUT -j BASTION_HOLD', backends: BOTH },
  { name: 'a rule of others before ours', script: 'PROGRAM mangle -I OUTPUT 1 -j ACCEPT', backends: BOTH },
  { name: 'an opening rule in our chain', script: 'PROGRAM mangle -I BASTION_HOLD 1 -j ACCEPT', backends: BOTH },
  { name: 'a replaced rule', script: 'PROGRAM mangle -R BASTION_BELT 1 -m mark --mark 0x1/0x1 -j DROP', backends: BOTH },
];

/** Each command for both families; 'PROGRAM mangle A, B' is one transaction: the helper must not come in between. */
function scriptFor(script: string, backend: Backend): string {
  const variant = backend.slice('iptables-'.length);
  return script.split('; ').flatMap((command) => {
    if (!command.startsWith('PROGRAM ')) return [command];
    const [, table = '', changes = ''] = /^PROGRAM (\w+) (.*)$/u.exec(command) ?? [];
    const lines = [`*${table}`, ...changes.split(', '), 'COMMIT'].map((line) => `'${line}'`).join(' ');
    return ['iptables', 'ip6tables'].map((program) => `printf '%s\\n' ${lines} | ${program}-${variant}-restore --noflush -w`);
  }).join(' && ');
}

async function asRoot(lab: Lab, script: string): Promise<void> {
  const done = await lab.run(['sh', '-c', script], { as: 'root' });
  assert.equal(done.status, 0, done.stderr);
}

/** Lines of the journal about rules that were put back. */
function mendLines(lab: Lab): string[] {
  return lab.logText().split('\n').filter((line) => line.includes('were changed by somebody else and put back'));
}

async function mended(client: HelperClient): Promise<number> {
  return (await client.status()).statistics.rules_mended;
}

for (const backend of BOTH) {
  describe(`with ${backend}`, { skip }, () => {
    let lab: Lab;
    let bed: RulesBed;
    let client: HelperClient;

    before(async () => {
      lab = await Lab.create({ defaultAction: 'deny', backend });
      client = clientOf(lab);
      bed = await RulesBed.make(lab, backend);
    });
    after(async () => {
      client.close();
      await lab.dispose();
    });

    test('our own changes of the rules are nobody else\'s', async () => {
      for (const mode of ['learning', 'enforcing', 'learning', 'enforcing'] as const) await client.setMode(mode);
      await bed.back();
      assert.equal(await mended(client), 0);
      assert.deepEqual(mendLines(lab), []);
    });

    for (const { name, script, backends } of DAMAGES) {
      if (!backends.includes(backend)) continue;
      test(`${name}: exactly one set of ours is back, counted, and enforced`, async () => {
        const counted = await mended(client);
        await asRoot(lab, scriptFor(script, backend));
        await bed.back();
        await until('the count', async () => (await mended(client) > counted ? true : null));
        await bed.enforces();
        if (name === 'a rule of others before ours') await asRoot(lab, scriptFor('PROGRAM mangle -D OUTPUT -j ACCEPT', backend));
      });
    }

    test('flushed again and again, the rules of both families are back each time', async (context) => {
      const times: number[] = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        await asRoot(lab, scriptFor('PROGRAM mangle -F; PROGRAM filter -F', backend));
        times.push(await bed.back());
      }
      times.sort((a, b) => a - b);
      const [median = 0, longest = 0] = [times[Math.floor(ROUNDS / 2)], times.at(-1)];
      context.diagnostic(`median ${median.toFixed(0)} ms, longest ${longest.toFixed(0)} ms`);
      mustHold({
        id: `rules-back-${backend}`, claim: `another tool empties our chains (${backend}): they come back`, size: `${String(ROUNDS)} times`, undecided: null,
        figures: [`back after: median ${median.toFixed(0)} ms, longest ${longest.toFixed(0)} ms`],
      });
    });

    test('a tight loop of flushes neither keeps the helper busy nor fills the journal, and ends with our rules', async (context) => {
      const [counted, lines, start] = [await mended(client), mendLines(lab).length, performance.now()];
      const flush = scriptFor('PROGRAM mangle -F', backend);
      await asRoot(lab, `i=0; while [ $i -lt ${String(FLUSHES)} ]; do ${flush}; i=$((i + 1)); done`);
      const seconds = (performance.now() - start) / 1000;
      const back = await bed.back();
      const mends = await mended(client) - counted;
      context.diagnostic(`${String(mends)} mends in ${seconds.toFixed(1)} s of flushes; back after ${back.toFixed(0)} ms`);
      assert.ok(mends > 0);
      assert.ok(mends <= LOOKS_AT_ONCE + LOOKS_PER_S * (seconds + 1) + 1, String(mends));
      assert.ok(mendLines(lab).length - lines <= 1 + seconds / 10, 'a line for each mend');
      await bed.enforces();
    });
  });
}

describe('what is said of a change', { skip }, () => {
  test('the journal names the program, and bastionctl status counts', async () => {
    await using lab = await Lab.create({ defaultAction: 'deny', backend: 'iptables-nft' });
    const bed = await RulesBed.make(lab);
    await asRoot(lab, 'exec nft flush ruleset');
    await bed.back();
    const [line = ''] = await until('the line', () => {
      const lines = mendLines(lab);
      return Promise.resolve(lines.length > 0 ? lines : null);
    });
    assert.match(line, /by="nft \(pid \d+\)" found="IPv4 mangle: chain BASTION_HOLD is missing/u);
    const { stdout } = await lab.ctl(['status'], { as: 'root' });
    assert.match(stdout, /^Rules put back: +1 times, after another program changed them$/mu);
  });

  test('while the rules cannot be put back the state is degraded and says why; when they can, they are there soon', async () => {
    await using lab = await Lab.create({ defaultAction: 'deny', backend: 'iptables-nft' });
    const bed = await RulesBed.make(lab);
    const client = clientOf(lab);
    try {
      // A table whose chain OUTPUT is not what iptables makes is none that iptables-nft can use.
      await asRoot(lab, `nft -f - <<'END'
delete table ip mangle
table ip mangle {
  set far { type ipv4_addr; elements = { 192.0.2.1 } }
  chain OUTPUT { type filter hook output priority 7; ip daddr @far counter; }
}
END`);
      await until('the reason', async () => {
        const { state, degradedReasons } = await client.status();
        return state === 'degraded' && degradedReasons.some(({ code }) => code === 'rules-changed') ? true : null;
      });
      const { degradedReasons: [reason] } = await client.status();
      assert.match(reason?.text ?? '', /^Another program changed the firewall rules, and they could not be put back: The IPv4 rules could not be put in place: /u);
      await asRoot(lab, 'nft delete table ip mangle');
      await until('the end of the reason', async () => ((await client.status()).state === 'protecting' ? true : null));
      assert.ok(oursIn(await listing(lab)).length > 20);
      await bed.back();
      await bed.enforces();
    } finally {
      client.close();
    }
  });
});

/** Watches, lets its thread of JavaScript wait while others change the rules, and prints what it is told then. */
const WATCHER = `
const { loadBinding } = await import(process.argv[1]);
const { execFileSync } = await import('node:child_process');
const keep = setInterval(() => undefined, 1000);
const watch = loadBinding(process.argv[2]).watchNetfilter({ legacy: process.argv[4] === 'legacy' }, (changes) => {
  console.log(JSON.stringify(changes));
  watch.close();
  watch.close();
  clearInterval(keep);
});
execFileSync('sh', ['-c', process.argv[3]]);
`;

describe('the watch itself', { skip }, () => {
  async function told(script: string, variant: 'nft' | 'legacy', before = ''): Promise<NetfilterChanges> {
    await using lab = await Lab.create({ startHelper: false });
    await asRoot(lab, before);
    const parts = [join(ROOT, 'native/binding.ts'), join(ROOT, 'build/native/bastion.node'), script, variant];
    const done = await lab.run([process.execPath, '--input-type=module', '-e', WATCHER, ...parts], { as: 'root', timeoutMs: 60_000 });
    assert.deepEqual([done.status, done.stderr], [0, '']);
    return JSON.parse(done.stdout) as NetfilterChanges;
  }

  test('what happens while JavaScript is busy is told together, each program once', async () => {
    const { by, unnamed } = await told('exec nft -f /dev/stdin <<END\nadd table ip a\nEND', 'nft');
    assert.deepEqual([by.map(({ command }) => command), unnamed], [['nft'], false]);
  });

  test('at most 16 programs are named, the rest are somebody', async () => {
    const { by, unnamed } = await told('for i in $(seq 20); do nft add table ip t$i; done', 'nft');
    assert.deepEqual([by.length, unnamed], [16, true]);
    assert.equal(new Set(by.map(({ pid }) => pid)).size, 16);
  });

  test('xtables do not say who it was', async () => {
    assert.deepEqual(await told('iptables-legacy -t mangle -A OUTPUT -j ACCEPT', 'legacy'), { by: [], unnamed: true });
  });

  test('a rule of xtables that is replaced by one of the same length is noticed too', async () => {
    const rule = (change: string, source: string): string => `iptables-legacy -t mangle ${change} -s ${source} -j ACCEPT`;
    assert.deepEqual(await told(rule('-R OUTPUT 1', '10.0.0.2'), 'legacy', rule('-A OUTPUT', '10.0.0.1')), { by: [], unnamed: true });
  });
});
