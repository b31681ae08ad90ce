/** Import and Export: reads the text on its own thread, plans against the rules that are there, writes once. */
import { access } from 'node:fs/promises';
import { hashOf } from './adapters/originals.ts';
import type { Original, Originals } from './adapters/originals.ts';
import { errorCodeOf } from './adapters/trusted-file.ts';
import { BastionError } from './contract/errors.ts';
import { WIRE_LIMITS } from './contract/names.ts';
import { IMPORT_ITEMS, IMPORT_RULE_ITEMS } from './contract/types.ts';
import type { ImportItemInfo, ImportSummary } from './contract/types.ts';
import type { EngineApi } from './engine-api.ts';
import { readForeign } from './import-reader.ts';
import type { ReadingResult } from './import-reader.ts';
import { flagMissing } from './import/bastion-rules.ts';
import { boundedExport, exportBastionRules, exportJson } from './import/export-rules.ts';
import { planImport } from './import/plan.ts';
import type { PlannedRule } from './import/plan.ts';
import type { Imported, TrustedProgram } from './import/types.ts';
import type { Clock, Logger } from './ports.ts';

/** Files that are looked for, and how long: a file system that does not answer must not hold the import. */
const MOST_LOOKED_FOR = 2000;
const LOOKING_MS = 5000;
/** Imports that wait for one that is being read. */
const MOST_WAITING = 4;
const REPORT_LIMIT_BYTES = 3.75 * 1024 * 1024;
/** What an item needs on the wire beyond its JSON: lengths, signatures, padding of some 15 keys. */
const ITEM_OVERHEAD_BYTES = 200;
/** What Import takes to read the original's files from their old place. */
const ORIGINAL = 'original';

type Read = Extract<ReadingResult, { ok: true }>;

export interface ImportDeskDeps {
  readonly engine: Pick<EngineApi, 'previewRule' | 'addRules' | 'ruleInfos' | 'exportRules'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly originals: Originals;
  /** Writes entries into applications.toml. */
  readonly trust: (programs: readonly TrustedProgram[]) => Promise<void>;
  /** Absolute path of the bundle of import-worker.ts. */
  readonly workerScript: string;
}

export interface ImportReport {
  readonly items: readonly ImportItemInfo[];
  readonly summary: ImportSummary;
}

export class ImportDesk {
  readonly #deps: ImportDeskDeps;
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(deps: ImportDeskDeps) {
    this.#deps = deps;
  }

  /**
   * `format` is one of IMPORT_FORMATS, '' to tell it from the text, or `original` with an empty text. A dry run reports what a
   * run would do. Throws BastionError InvalidArgument with the place, NotSupported, NotFound, LimitReached, Conflict, Busy.
   */
  import(format: string, text: string, dryRun: boolean): Promise<ImportReport> {
    if (this.#waiting >= MOST_WAITING) return Promise.reject(new BastionError('Busy'));
    this.#waiting += 1;
    const result = this.#last.then(() => (format === ORIGINAL ? this.#importOriginals(text, dryRun) : this.#importText(format, text, dryRun)));
    this.#last = result.catch(() => undefined).finally(() => { this.#waiting -= 1; });
    return result;
  }

  /** `toml` is the text of 50-user.toml. Throws BastionError NotSupported, LimitReached. */
  async export(format: string): Promise<string> {
    const { engine } = this.#deps;
    switch (format) {
      case 'toml': return boundedExport(await engine.exportRules());
      case 'json': return exportJson(engine.ruleInfos());
      case 'bastion-rules': return exportBastionRules(engine.ruleInfos());
      default: throw new BastionError('NotSupported', 'The formats are toml, json, bastion-rules.');
    }
  }

  async #importText(format: string, text: string, dryRun: boolean): Promise<ImportReport> {
    const read = await this.#read(format, text);
    const report = await this.#apply([{ read, file: '' }], dryRun);
    if (!dryRun && (read.guess.format === 'bastion-rules' || read.guess.format === 'bastion-config')) {
      const sha256 = hashOf(text);
      const originals = await this.#deps.originals.read().catch((): readonly Original[] => []);
      await this.#deps.originals.remember(originals.filter((one) => one.sha256 === sha256));
    }
    return report;
  }

  async #importOriginals(text: string, dryRun: boolean): Promise<ImportReport> {
    if (text !== '') throw new BastionError('InvalidArgument', 'text: the helper reads the files of Bastion Firewall 2 itself; leave it empty.');
    const originals = await this.#deps.originals.read();
    if (originals.length === 0) throw new BastionError('NotFound', 'There is neither rules.json nor config.json of Bastion Firewall 2.');
    const parts: { read: Read; file: string }[] = [];
    for (const { name, text: content } of originals) {
      const format = name === 'rules.json' ? 'bastion-rules' : 'bastion-config';
      const read = await this.#read(format, content).catch((error: unknown) => {
        throw error instanceof BastionError ? new BastionError(error.code, `${name}: ${error.message}`, { cause: error }) : error;
      });
      parts.push({ read, file: name });
    }
    const report = await this.#apply(parts, dryRun);
    if (!dryRun) await this.#deps.originals.remember(originals);
    return report;
  }

  async #read(format: string, text: string): Promise<Read> {
    const read = await readForeign(this.#deps.workerScript, { format, text, nowMs: this.#deps.clock.wallMs() });
    if (read.guess.format !== 'bastion-rules') return read;
    return { ...read, imported: flagMissing(read.imported, await missingFiles(read.imported)) };
  }

  async #apply(parts: readonly { readonly read: Read; readonly file: string }[], dryRun: boolean): Promise<ImportReport> {
    const { engine, logger } = this.#deps;
    const existing = new Map(engine.ruleInfos().map((rule) => [rule.id, rule]));
    const plans = parts.map(({ read, file }) => planImport(read.imported, { existing, preview: (edit) => engine.previewRule(edit) }, file));
    const rules: readonly PlannedRule[] = plans.flatMap((plan) => plan.rules);
    const overrides = plans.flatMap((plan) => plan.overrides);
    const items = plans.flatMap((plan) => plan.items);
    if (items.length > IMPORT_ITEMS) throw new BastionError('LimitReached', `The files have more than ${String(IMPORT_ITEMS)} entries.`);
    const report = { items: told(items), summary: summaryOf(parts, items, rules, dryRun) };
    requireSendable(report);
    if (dryRun) return report;
    if (rules.length > 0 || overrides.length > 0) {
      await engine.addRules({ rules, overrides });
      logger.log('info', 'rules were imported', { format: report.summary.format, added: rules.length, switched: overrides.length });
    }
    const programs = parts.flatMap(({ read }) => read.imported.applications);
    if (programs.length > 0) {
      await this.#deps.trust(programs);
      logger.log('info', 'trusted programs were imported', { format: report.summary.format, added: programs.length });
    }
    return report;
  }
}

function summaryOf(
  parts: readonly { readonly read: Read }[], items: readonly ImportItemInfo[], rules: readonly PlannedRule[], dryRun: boolean,
): ImportSummary {
  const count = (outcome: ImportItemInfo['outcome']): number => items.filter((item) => item.outcome === outcome).length;
  const [first] = parts;
  return {
    format: first?.read.guess.format ?? 'bastion',
    guess: first?.read.guess.why ?? '',
    dry_run: dryRun,
    kept: count('kept'), changed: count('changed'), review: count('review'), skipped: count('skipped'),
    ids: rules.map(({ edit }) => edit.id ?? ''),
    settings: bounded(parts.map(({ read }) => read.imported.settings).join('')),
    applications: bounded(parts.flatMap(({ read }) => read.imported.applications).map(applicationText).join('\n')),
  };
}

/** A long report without its rules: each costs a quarter of a millisecond on the wire, in which nothing is decided. */
function told(items: readonly ImportItemInfo[]): readonly ImportItemInfo[] {
  const whole = items.length <= IMPORT_RULE_ITEMS;
  return items.map(({ rule, ...item }) => ({
    ...item,
    ...(rule?.id === undefined ? {} : { rule_id: rule.id }),
    ...(whole && rule !== undefined ? { rule } : {}),
  }));
}

/** The bus connection sends at most 4 MiB at once; a report that cannot be told must not have done anything. */
function requireSendable(report: ImportReport): void {
  const bytes = Buffer.byteLength(JSON.stringify(report)) + report.items.length * ITEM_OVERHEAD_BYTES;
  if (bytes > REPORT_LIMIT_BYTES) throw new BastionError('LimitReached', 'The report of this file is too long to be told; import it in parts.');
}

function bounded(text: string): string {
  if (text.length > WIRE_LIMITS.textLength) throw new BastionError('LimitReached', 'The file has too many entries; import it in parts.');
  return text;
}

/** Texts were checked and have no control characters: JSON's escapes are TOML's. */
function applicationText({ name, path, sha256 }: TrustedProgram): string {
  return `[[application]]\nname = ${JSON.stringify(name)}\npath = ${JSON.stringify(path)}\nsha256 = "${sha256}"\n`;
}

/** Paths of rules that have no file. What could not be looked for in time counts as there. */
async function missingFiles({ items }: Imported): Promise<ReadonlySet<string>> {
  const paths = [...new Set(items.flatMap(({ rule }) => rule?.path ?? []))].slice(0, MOST_LOOKED_FOR);
  const missing = new Set<string>();
  let isOver = false;
  const looked = Promise.all(paths.map(async (path) => {
    const code = await access(path).then(() => '', errorCodeOf);
    if (!isOver && (code === 'ENOENT' || code === 'ENOTDIR')) missing.add(path);
  }));
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => { resolve(undefined); }, LOOKING_MS);
  await Promise.race([looked, promise]);
  clearTimeout(timer);
  isOver = true;
  return missing;
}
