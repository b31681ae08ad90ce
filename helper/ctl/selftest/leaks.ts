/**
 * Leaks on purpose. The probe is a program of its own, so rules can name it alone: first one allows it to reach the target, so
 * that it is known what the target answers; then one denies all that it sends, and no answer may come. So no prompt is ever
 * raised. The rules are in memory only.
 */
import type { HelperClient } from '../../contract/client.ts';
import { RefusedError } from '../errors.ts';
import { PROBES, SPOOF, scoreOf } from './probes.ts';
import type { Outcome, ProbeSpec, Score } from './probes.ts';
import type { ProbeRunner } from './runner.ts';

const NAME = 'bastionctl selftest';
/** Nothing goes before them but a rule of the user's that has the highest priority too and says more. */
const PRIORITY = { allow: 999, deny: 1000 } as const;
/** The gate takes the helper for away after three seconds. */
const AWAY_MS = 4000;
const AGAIN_MS = 250;
const START_LIMIT_MS = 20_000;

export interface LeakTest {
  readonly client: HelperClient;
  readonly runner: ProbeRunner;
  readonly targets: readonly string[];
  readonly stopHelper: boolean;
  /** True once somebody wants to stop: no further step is begun. */
  stopped(): boolean;
}

interface Attempt {
  readonly spec: ProbeSpec;
  readonly address: string;
}

/** Rules of one run, taken away again whatever happens. */
class Rules {
  readonly #client: HelperClient;
  readonly #runner: ProbeRunner;
  readonly #ids = new Set<string>();

  constructor({ client, runner }: LeakTest) {
    this.#client = client;
    this.#runner = runner;
  }

  async add(action: 'allow' | 'deny', path: string, address?: string): Promise<string> {
    const id = await this.#client.addRule({
      name: NAME, action, path, user: String(this.#runner.uid), lifetime: 'boot', priority: PRIORITY[action], ...(address === undefined ? {} : { address }),
    });
    this.#ids.add(id);
    return id;
  }

  async remove(id: string): Promise<void> {
    await this.#client.removeRule(id);
    this.#ids.delete(id);
  }

  /** Tries each; throws the first failure after that. */
  async removeAll(): Promise<void> {
    const failures: unknown[] = [];
    for (const id of [...this.#ids]) await this.remove(id).catch((error: unknown) => { failures.push(error); });
    if (failures.length > 0) throw failures[0];
  }
}

function attempts(targets: readonly string[], specs: readonly ProbeSpec[]): readonly Attempt[] {
  return targets.flatMap((address) => specs.map((spec) => ({ spec, address })));
}

function runAll(runner: ProbeRunner, program: string, argv0: string, all: readonly Attempt[]): Promise<readonly Outcome[]> {
  return Promise.all(all.map(({ spec, address }) => runner.run(program, argv0, spec, address)));
}

function goOn(test: LeakTest): void {
  if (test.stopped()) throw new RefusedError('Stopped before its end; its rules are taken away.', '');
}

/** What is refused stays refused without the helper. It is started again whatever happens: nothing here rejects before. */
async function withoutHelper(test: LeakTest, program: string): Promise<readonly Score[]> {
  const { client, runner, targets } = test;
  const all = attempts(targets, [{ ...SPOOF, name: 'a denied program while the helper is stopped', needsControl: false }]);
  const stopped = await runner.service('stop');
  const outcomes = stopped ? await runner.wait(AWAY_MS).then(() => runAll(runner, program, program, all)) : [];
  if (!await runner.service('start')) {
    throw new RefusedError('The helper could not be started again.', 'sudo systemctl start bastion-firewall.service');
  }
  for (let waitedMs = 0; waitedMs < START_LIMIT_MS; waitedMs += AGAIN_MS) {
    if (await client.ping().then(() => true, () => false)) break;
    await runner.wait(AGAIN_MS);
  }
  if (!stopped) throw new RefusedError('systemd could not stop the helper.', 'systemctl status bastion-firewall.service');
  return all.map(({ spec, address }, at) => scoreOf(spec, address, null, outcomes[at] ?? { what: 'unable', detail: '' }));
}

/** Throws BastionError NotAuthorized where no rules may be added, RefusedError when it was stopped or the probe is missing. */
export async function leakTest(test: LeakTest): Promise<readonly Score[]> {
  const { runner, targets } = test;
  const probe = await runner.probePath().catch((error: unknown) => {
    throw new RefusedError('bastion-probe is not installed.', 'sudo apt-get install --reinstall bastion-firewall', { cause: error });
  });
  const copy = await runner.copy(probe);
  const rules = new Rules(test);
  try {
    await rules.add('deny', copy.path);
    const allowed: string[] = [];
    for (const address of targets) allowed.push(await rules.add('allow', probe, address));
    goOn(test);
    const all = attempts(targets, PROBES);
    const control = await runAll(runner, probe, probe, all);
    goOn(test);
    // While the probe is allowed, its copy calls itself by the probe's name and path.
    const spoofs = attempts(targets, [SPOOF]);
    const spoofed = await runAll(runner, copy.path, probe, spoofs);
    await rules.add('deny', probe);
    for (const id of allowed) await rules.remove(id);
    goOn(test);
    const denied = await runAll(runner, probe, probe, all);
    const controlOf = ({ spec, address }: Attempt): Outcome | null =>
      control[all.findIndex((one) => one.address === address && one.spec.kind === spec.kind && one.spec.port === spec.port)] ?? null;
    const score = (outcomes: readonly Outcome[]) => (attempt: Attempt, at: number): Score =>
      scoreOf(attempt.spec, attempt.address, controlOf(attempt), outcomes[at] ?? { what: 'unable', detail: '' });
    const scores = [...all.map(score(denied)), ...spoofs.map(score(spoofed))];
    goOn(test);
    return test.stopHelper ? [...scores, ...await withoutHelper(test, probe)] : scores;
  } finally {
    await copy.remove();
    await rules.removeAll();
  }
}
