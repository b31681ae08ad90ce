/** selftest: what the helper says of itself, and a program that tries to get out. */
import { EXIT } from '../../contract/names.ts';
import type { Check } from '../../contract/types.ts';
import type { Context } from '../context.ts';
import { UsageError } from '../errors.ts';
import type { ExitCode } from '../errors.ts';
import { leakTest } from '../selftest/leaks.ts';
import { targetProblem } from '../selftest/probes.ts';
import type { Score } from '../selftest/probes.ts';
import { systemRunner } from '../selftest/runner.ts';
import type { ProbeRunner } from '../selftest/runner.ts';
import { table } from '../text/table.ts';
import type { Invocation, Verb } from '../tree.ts';
import { textOption } from './options.ts';

const MOST_TARGETS = 2;
const LEAK_HINT = 'Something got out. Unless a rule of priority 1000 allows it (bastionctl rules), please report it: bastionctl doctor --report';
const NO_TARGET = 'Nothing was sent. To see what gets out, name a machine that answers, of your own: bastionctl selftest --target ADDRESS';

/** Given, or the lab's. Throws UsageError. */
function targetsOf(context: Context, given: string | undefined, runner: ProbeRunner): readonly string[] {
  const lab = [context.io.env['BASTION_PEER4'], context.io.env['BASTION_PEER6']].filter((one) => one !== undefined && one !== '');
  const targets = given === undefined ? lab.filter((one) => one !== undefined) : given.split(',');
  if (targets.length > MOST_TARGETS) throw new UsageError(`--target: at most ${String(MOST_TARGETS)} addresses, one of IPv4 and one of IPv6`);
  for (const target of targets) {
    const problem = targetProblem(target, runner.ownAddresses);
    if (problem !== null) throw new UsageError(`--target: ${problem}`);
  }
  return [...new Set(targets)];
}

/** `stop-helper` needs rights that must be there before anything is begun. Throws UsageError. */
function stopsHelper({ options }: Invocation, targets: readonly string[], { uid }: ProbeRunner): boolean {
  if (options['stop-helper'] !== true) return false;
  if (targets.length === 0) throw new UsageError('--stop-helper needs --target: without traffic there is nothing to see');
  if (uid !== 0) throw new UsageError('--stop-helper: only root may stop the helper; run it with sudo');
  return true;
}

function checksText(context: Context, checks: readonly Check[]): string {
  return table<Check>([
    { title: 'CHECK', cell: (one) => one.name },
    { title: 'RESULT', cell: (one) => (one.ok ? 'ok' : 'FAILED'), paint: (one) => (one.ok ? context.style.good : context.style.bad) },
    { title: 'DETAIL', cell: (one) => one.detail },
  ], checks, null, context.style.strong);
}

function scoresText(context: Context, scores: readonly Score[]): string {
  const { good, bad, warn } = context.style;
  return table<Score>([
    { title: 'A DENIED PROGRAM TRIES', cell: (one) => one.name },
    { title: 'RESULT', cell: (one) => (one.result === 'leak' ? 'LEAK' : one.result), paint: ({ result }) => (result === 'leak' ? bad : result === 'refused' ? good : warn) },
    { title: 'TRIED', cell: (one) => one.tried },
    { title: 'CAME BACK', cell: (one) => one.cameBack },
  ], scores, null, context.style.strong);
}

function scoreRow({ name, tried, cameBack, result }: Score): unknown {
  return { name, ok: result !== 'leak', detail: cameBack, tried, came_back: cameBack, result };
}

/** With another runner for tests. */
export async function selftest(context: Context, invocation: Invocation, runner: ProbeRunner = systemRunner()): Promise<ExitCode> {
  const given = textOption(invocation.options, 'target');
  if (context.options.host !== undefined && given !== undefined) {
    throw new UsageError('--target tries from this machine; there: ssh HOST bastionctl selftest --target ADDRESS');
  }
  const targets = context.options.host === undefined ? targetsOf(context, given, runner) : [];
  const stopHelper = stopsHelper(invocation, targets, runner);
  const client = await context.privilegedClient();
  const checks = await client.selfTest();
  const off = (await client.status()).state === 'off';
  let stopped = false;
  if (targets.length > 0 && !off) void context.io.untilStopped().then(() => { stopped = true; });
  const scores = off || targets.length === 0 ? [] : await leakTest({ client, runner, targets, stopHelper, stopped: () => stopped });
  const leaked = scores.some(({ result }) => result === 'leak');
  if (context.options.json) {
    context.json([...checks.map(({ name, ok, detail }) => ({ name, ok, detail })), ...scores.map(scoreRow)]);
  } else {
    context.io.out(checksText(context, checks));
    if (scores.length > 0) context.io.out(`\n${scoresText(context, scores)}`);
    if (targets.length === 0 && context.options.host === undefined) context.note(NO_TARGET);
  }
  if (leaked) context.note(LEAK_HINT);
  return leaked || checks.some((one) => !one.ok) ? EXIT.refused : EXIT.done;
}

export const selftestVerb: Verb = {
  name: 'selftest',
  about: 'Let the helper check itself, and try to leak on purpose',
  text: 'With --target, a program of Bastion\'s own tries to reach that address in every way; two rules in memory, for that program '
    + 'alone, allow it at first, to see what the target answers, and then deny it. Nothing is sent anywhere else, nobody is asked. '
    + 'Exit code 1 when a check fails or something leaked.',
  options: [
    { name: 'target', value: 'ADDRESS', about: 'a machine that answers: an IPv4 or an IPv6 address, or one of each with a comma' },
    { name: 'stop-helper', about: 'also try while the helper is stopped, and start it again (root)' },
  ],
  examples: ['selftest', 'selftest --target 192.0.2.1', 'selftest --target 192.0.2.1,2001:db8::1 --json'],
  run: (context, invocation) => selftest(context, invocation),
};
