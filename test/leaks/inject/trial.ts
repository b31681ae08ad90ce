/** One fault, and the judgement of what it led to. */
import type { HelperClient, HelperStatus } from '../../../helper/contract/client.ts';
import { SQLITE_FAULTS } from './faults.ts';
import type { FaultCode } from './faults.ts';
import { until } from '../../integration/support.ts';
import { RanOutError } from '../../lab/process.ts';
import { ANY } from './plan.ts';
import { USER_RULES } from './rig.ts';
import type { Fault, FaultRig } from './rig.ts';

/** A busy machine may need it; what is not whole then, and does not say so, is a defect. */
const WHOLE_LIMIT_MS = 10_000;
/** Of a file that a write has left. */
const SOON_MS = 3000;
const FINISHED_LIMIT_MS = 10_000;
/** The watch of a file looks again after some seconds. */
const AGREE_LIMIT_MS = 20_000;

/** The same error in the words of node, of the C library, of SQLite. Source: strerror(3). */
const WORDS: Readonly<Record<FaultCode, readonly string[]>> = {
  ENOSPC: ['ENOSPC', 'o space left on device'],
  EROFS: ['EROFS', 'ead-only file system'],
  EIO: ['EIO', 'nput/output error', 'i/o error'],
  EMFILE: ['EMFILE', 'oo many open files'],
  ENOMEM: ['ENOMEM', 'annot allocate memory', 'not enough memory'],
};

export type Outcome = 'works' | 'degraded' | 'refused' | 'ended';

/** What came of one fault. */
export interface Verdict {
  readonly fault: Fault;
  readonly outcome: Outcome;
  /** By itself, or after a restart. */
  readonly mended: 'itself' | 'restart';
  /** Sentences; none: all that was promised held. */
  readonly defects: readonly string[];
  /** What was said of it. */
  readonly said: string;
}

export function faultName({ site, code, form, skip, calls }: Fault): string {
  const which = form === 'always' ? 'always' : skip === 0 ? 'the first time' : `after ${String(skip)} times`;
  return `${site === ANY ? `any of ${calls.length === 0 ? 'all' : calls.join(', ')}` : site}: ${code} ${which}`;
}

/** Does the text name this error? */
export function names(text: string, code: FaultCode): boolean {
  return [...WORDS[code], SQLITE_FAULTS[code][1]].some((word) => text.includes(word));
}

function told(status: HelperStatus): string {
  return [...status.degradedReasons.flatMap(({ text, remedy }) => [text, remedy]), ...status.loadErrors.map(({ message }) => message)].join('\n');
}

export function sameFiles(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([name, text]) => b.get(name) === text);
}

interface Start {
  readonly outcome: Outcome;
  readonly defects: readonly string[];
}

/** What a start ended with, while the fault is there. */
async function judgeStart(rig: FaultRig, { site, code }: Fault): Promise<Start> {
  const defects: string[] = [];
  const { helperEnd } = rig.lab;
  if (helperEnd !== null) {
    if (helperEnd.status === 0 || helperEnd.status === null) defects.push(`ended with status ${String(helperEnd.status ?? helperEnd.signal)}`);
    if (!names(rig.said(), code)) defects.push('ended without naming the error');
    return { outcome: 'ended', defects };
  }
  const look = (): Promise<HelperStatus> => until('the status', () => rig.client.status().catch(() => null));
  const status = await look();
  if (status.mode !== 'enforcing') defects.push(`the mode is ${status.mode}`);
  let reasons = told(status);
  if (reasons === '') {
    if (await rig.whole(WHOLE_LIMIT_MS).then(() => true, () => false)) return { outcome: 'works', defects };
    // Some faults show only when there is something to do.
    reasons = told(await look());
    if (reasons === '') defects.push(`is not whole and does not say so: ${rig.lacking}`);
  }
  // Of what fails inside libbpf, its own last words are told.
  const within = site.includes(' library+');
  if (!within && !names(reasons, code) && !names(rig.said(), code)) defects.push(`degraded without naming the error: ${reasons}`);
  return { outcome: 'degraded', defects };
}

async function tryStart(rig: FaultRig): Promise<string | null> {
  try {
    await rig.lab.startHelper();
    return null;
  } catch (error: unknown) {
    // A helper that ended is judged by how it ended.
    return rig.lab.helperEnd === null ? `hangs: ${String(error).slice(0, 200)}` : null;
  }
}

/** The helper is started while the fault is there, then without it. */
export async function startWith(rig: FaultRig, fault: Fault, clear: boolean): Promise<Verdict | null> {
  const stored = rig.stored();
  await rig.lab.stopHelper('SIGKILL');
  if (clear) await rig.clearKernel();
  rig.arm(fault);
  const hang = await tryStart(rig);
  const start: Start = hang === null ? await judgeStart(rig, fault) : { outcome: 'ended', defects: [hang] };
  const met = rig.failed().length > 0;
  const defects = [...start.defects];
  const leaked = await rig.leaked();
  if (leaked !== '') defects.push(leaked);
  if (!sameFiles(stored, rig.stored())) defects.push('the stored files were changed');
  const said = rig.said();
  const mended = await mend(rig, defects);
  return met ? { fault, outcome: start.outcome, mended, defects, said } : null;
}

function finished(rig: FaultRig, limitMs: number): Promise<boolean> {
  return until('the last write', () => Promise.resolve(rig.leftovers().length === 0 ? true : null), limitMs).then(() => true, () => false);
}

async function mend(rig: FaultRig, defects: string[]): Promise<'itself' | 'restart'> {
  try {
    const mended = await rig.mends();
    // A write may be on its way at any time; it does not stay.
    if (!await finished(rig, SOON_MS)) {
      // A disk that refused everything refused to clean up too; the next start does.
      await rig.lab.restartHelper();
      if (!await finished(rig, FINISHED_LIMIT_MS)) defects.push(`left behind: ${rig.leftovers().join(', ')}`);
      await rig.whole();
    }
    const leaked = await rig.leaked();
    if (leaked !== '') defects.push(`until it was mended: ${leaked}`);
    return mended;
  } catch (error: unknown) {
    defects.push(`does not mend: ${String(error).slice(0, 300)}`);
    return 'restart';
  }
}

/** A change over D-Bus whose calls are made to fail. */
export interface Change {
  readonly name: string;
  /** Brings about what `run` starts from. */
  prepare(rig: FaultRig): Promise<void>;
  run(client: HelperClient): Promise<unknown>;
}

const CHANGED = { id: 'changed', action: 'deny', path: '/usr/bin/changed' } as const;
const IMPORTED = '[[rule]]\nid = "imported"\naction = "deny"\napplication = { path = "/usr/bin/imported" }\n';

async function withRules(rig: FaultRig, wanted: boolean): Promise<void> {
  const { rules } = await rig.look();
  for (const id of ['imported', ...(wanted ? [] : [CHANGED.id])]) if (rules.includes(id)) await rig.calm((client) => client.removeRule(id));
  if (!wanted) return;
  await rig.calm(async (client) => {
    if (rules.includes(CHANGED.id)) await client.updateRule(CHANGED.id, CHANGED);
    else await client.addRule(CHANGED);
  });
}

export const CHANGES: readonly Change[] = [
  { name: 'add', prepare: (rig) => withRules(rig, false), run: (client) => client.addRule(CHANGED) },
  { name: 'update', prepare: (rig) => withRules(rig, true), run: (client) => client.updateRule(CHANGED.id, { action: 'drop' }) },
  { name: 'remove', prepare: (rig) => withRules(rig, true), run: (client) => client.removeRule(CHANGED.id) },
  { name: 'import', prepare: (rig) => withRules(rig, false), run: (client) => client.importRules('', IMPORTED, false) },
];

/** Ids and actions that the user's file holds; null for a text that is no whole file. */
function rulesIn(text: string): readonly string[] {
  return text.split('[[rule]]').slice(1).map((block) => {
    const [, id = 'no id'] = /^id = "(.*)"$/mu.exec(block) ?? [];
    const [, action = 'no action'] = /^action = "(.*)"$/mu.exec(block) ?? [];
    return `${id}: ${action}`;
  }).sort();
}

async function userRules(rig: FaultRig): Promise<readonly string[]> {
  const { rows } = await rig.calm((client) => client.listRules(500, ''));
  return rows.filter(({ tier }) => tier === 'user').map(({ id, action }) => `${id}: ${action}`).sort();
}

const USER_FILE = 'rules.d/50-user.toml';

function others(files: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  return new Map([...files].filter(([name]) => name !== USER_FILE));
}

/** A change that was made while the fault is there; null when the fault was not met. */
export async function changeWith(rig: FaultRig, change: Change, fault: Fault): Promise<Verdict | null> {
  const defects: string[] = [];
  await change.prepare(rig);
  const before = rig.stored();
  const rulesBefore = await userRules(rig);
  rig.arm(fault);
  const error = await change.run(rig.client).then(() => null, (reason: unknown) => (reason instanceof Error ? reason.message : String(reason)));
  const met = rig.failed().length > 0;
  const said = `${error ?? ''}\n${rig.said()}`;
  rig.disarm();
  if (rig.lab.helperEnd !== null) {
    if (!names(rig.said(), fault.code)) defects.push('ended without naming the error');
    await rig.lab.startHelper();
  } else if (error !== null && !names(said, fault.code)) {
    defects.push(`refused without naming the error: ${error}`);
  }
  const after = rig.stored();
  if (!sameFiles(others(before), others(after))) defects.push('other files were changed');
  const inFile = rulesIn(after.get(USER_FILE) ?? '');
  const changed = inFile.join() !== rulesBefore.join();
  if (error === null && !changed) defects.push('was told to be done and is not stored');
  const kept = USER_RULES.every((id) => inFile.includes(`${id}: deny`));
  if (!kept || Math.abs(inFile.length - rulesBefore.length) > 1) defects.push(`rules were lost: ${inFile.join(', ')}`);
  // A change that was refused after it had been stored comes into force by the watch of the file.
  const agrees = await until('memory and file to agree', async () => ((await userRules(rig)).join() === inFile.join() ? true : null), AGREE_LIMIT_MS)
    .then(() => true, () => false);
  if (!agrees) defects.push(`in force: ${(await userRules(rig)).join(', ')}; stored: ${inFile.join(', ')}`);
  const leaked = await rig.leaked();
  if (leaked !== '') defects.push(leaked);
  const mended = await mend(rig, defects);
  return met ? { fault, outcome: error === null ? 'works' : 'refused', mended, defects, said } : null;
}

/** What the file says. */
function modeIn(files: ReadonlyMap<string, string>): string {
  return /^mode = "(\w+)"$/mu.exec(files.get('bastion.toml') ?? '')?.[1] ?? 'none';
}

/** The mode is changed while the fault is there; null when the fault was not met. */
export async function modeWith(rig: FaultRig, to: 'enforcing' | 'learning', fault: Fault): Promise<Verdict | null> {
  const defects: string[] = [];
  await rig.calm((client) => client.setMode(to === 'enforcing' ? 'learning' : 'enforcing'));
  const before = rig.stored();
  rig.arm(fault);
  const error = await rig.client.setMode(to).then(() => null, (reason: unknown) => (reason instanceof Error ? reason.message : String(reason)));
  const ended = rig.lab.helperEnd !== null;
  if (error === null && to === 'enforcing' && !ended) {
    // What was let go before the change has arrived by now.
    await rig.forgetLeaks();
    // Where nothing is taken from the queue any more, what they send waits in it.
    await rig.attempts(3).catch((reason: unknown) => { if (!(reason instanceof RanOutError)) throw reason; });
    const leaked = await rig.leaked();
    if (leaked !== '') defects.push(`after the mode was told to be enforcing: ${leaked}`);
  }
  const met = rig.failed().length > 0;
  const said = `${error ?? ''}\n${rig.said()}`;
  rig.disarm();
  if (ended) await rig.lab.startHelper();
  if ((error !== null || ended) && !names(said, fault.code)) defects.push(`refused without naming the error: ${error ?? 'the helper ended'}`);
  const files = rig.stored();
  if (error === null && modeIn(files) !== to) defects.push(`was told to be done, and the file says ${modeIn(files)}`);
  const rest = (all: ReadonlyMap<string, string>): ReadonlyMap<string, string> => new Map([...all].filter(([name]) => name !== 'bastion.toml'));
  if (!sameFiles(rest(before), rest(files))) defects.push('other files were changed');
  const agrees = await until('the mode of the file', async () => ((await rig.look()).status.mode === modeIn(files) ? true : null), AGREE_LIMIT_MS)
    .then(() => true, () => false);
  if (!agrees) defects.push(`the mode is not ${modeIn(files)}, as the file says`);
  await rig.calm((client) => client.setMode('enforcing'));
  await rig.forgetLeaks();
  const mended = await mend(rig, defects);
  return met ? { fault, outcome: error === null ? 'works' : 'refused', mended, defects, said } : null;
}
