/** `doctor --report`: what somebody who helps needs to know of this installation, without what is nobody's business. */
import type { HelperClient, HelperStatus } from '../../contract/client.ts';
import { WIRE_LIMITS } from '../../contract/names.ts';
import type { Statistics } from '../../contract/types.ts';
import { readAll } from '../context.ts';
import { VERSION } from '../version.ts';
import { UNIT } from './finding.ts';
import type { Finding } from './finding.ts';
import type { Probe } from './probe.ts';
import { privateWords, redacted } from './redact.ts';
import type { PrivateWords } from './redact.ts';

const JOURNAL_LINES = 200;
/** Applications that are counted; each page costs a call. */
const MOST_APPLICATIONS = 5000;
/** Users of the machine's own begin here. Source: login.defs(5). */
const FIRST_PERSON = 1000;

export interface ReportSources {
  readonly probe: Probe;
  readonly findings: readonly Finding[];
  /** null when the helper does not answer. */
  readonly client: HelperClient | null;
  /** `-` where it is not known. */
  readonly hostName: string;
  readonly userName: string;
  readonly runtime: string;
}

/** Ids of lists are their administrator's words. */
const LIST_NAME = /^list .*/s;

type Counts = Readonly<Record<string, number>>;

function countBy<T>(rows: readonly T[], key: (row: T) => string): Counts {
  const counts = new Map<string, number>();
  for (const row of rows) counts.set(key(row), (counts.get(key(row)) ?? 0) + 1);
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function secrets({ probe, hostName, userName }: ReportSources): Promise<PrivateWords> {
  const found = await probe.readText('/etc/passwd');
  const lines = typeof found === 'object' ? found.text.split('\n') : [];
  // Source: passwd(5): name, password, uid, gid, full name and more, home, shell.
  const people = lines.map((line) => line.split(':')).filter(([, , uid]) => Number(uid) >= FIRST_PERSON);
  const names = people.filter(([name]) => name !== 'nobody').flatMap(([name = '', , , , full = '', home = '']) => [name, full, home.replace(/^\/home\//, '')]);
  return privateWords([...names, hostName, userName]);
}

/** Only name and version of the distribution. Source: os-release(5). */
async function distribution(probe: Probe): Promise<string> {
  const found = await probe.readText('/etc/os-release');
  const text = typeof found === 'object' ? found.text : '';
  const [, id = '-'] = /^ID="?([A-Za-z0-9._-]{1,40})"?$/m.exec(text) ?? [];
  const [, version = '-'] = /^VERSION_ID="?([A-Za-z0-9._-]{1,40})"?$/m.exec(text) ?? [];
  return `${id} ${version}`;
}

async function journal(probe: Probe, secret: PrivateWords): Promise<readonly string[]> {
  const { status, stdout } = await probe.run('journalctl', ['-u', UNIT, '-n', String(JOURNAL_LINES), '-o', 'cat', '--no-pager', '--quiet']);
  if (status !== 0) return ['cannot be read by this user, or there is none'];
  return stdout.split('\n').filter((line) => line !== '').slice(-JOURNAL_LINES).map((line) => redacted(line, secret));
}

/** null for what is not told, by rights or by an older helper. */
function attempt<T>(call: Promise<T>): Promise<T | null> {
  return call.catch(() => null);
}

async function contents(client: HelperClient): Promise<Readonly<Record<string, Counts | null>>> {
  const rules = await attempt(readAll((limit, cursor) => client.listRules(limit, cursor)));
  const lists = await attempt(client.listLists());
  const applications = await attempt(readAll((limit, cursor) => client.listApplications({}, limit, cursor), MOST_APPLICATIONS));
  const profiles = await attempt(client.profiles());
  return {
    'rules by tier and action': rules && countBy(rules, ({ tier, action, enabled }) => `${tier} ${action}${enabled ? '' : ' off'}`),
    lists: lists && countBy(lists, ({ error, updating }) => (error !== '' ? 'failed' : updating ? 'updating' : 'loaded')),
    applications: applications && countBy(applications, ({ state }) => state),
    profiles: profiles && { defined: profiles.length },
  };
}

function numbers(statistics: Statistics): Counts {
  return Object.fromEntries(Object.entries({ ...statistics, ...statistics.losses }).filter((entry): entry is [string, number] => typeof entry[1] === 'number'));
}

function stateOf(status: HelperStatus | null, secret: PrivateWords): unknown {
  if (status === null) return null;
  return {
    version: redacted(status.version, secret),
    mode: status.mode,
    state: status.state,
    on_trial: status.trial !== undefined,
    paused: status.pausedUntilMs !== 0,
    degraded: status.degradedReasons.map(({ code, text }) => ({ code: redacted(code, secret), text: redacted(text, secret) })),
    load_errors: status.loadErrors.map(({ file, line, column, message }) => ({ file: redacted(file, secret), line, column, message: redacted(message, secret) })),
    statistics: numbers(status.statistics),
  };
}

/** As JSON. Nothing in it is longer than a line of the journal, and nothing names a person, a machine, an address or a file of theirs. */
export async function report(sources: ReportSources): Promise<Readonly<Record<string, unknown>>> {
  const { probe, findings, client, runtime } = sources;
  const secret = await secrets(sources);
  const status = client === null ? null : await attempt(client.status());
  return {
    bastionctl: VERSION,
    runtime,
    kernel: redacted(probe.kernelRelease, secret),
    distribution: await distribution(probe),
    helper: stateOf(status, secret),
    counts: client === null || status === null ? null : await contents(client),
    findings: findings.map(({ name, result, detail }) => ({ name: redacted(name.replace(LIST_NAME, 'list'), secret), result, detail: redacted(detail, secret) })),
    limits: { ...WIRE_LIMITS },
    journal: await journal(probe, secret),
  };
}
