/** bastion.toml and the rule files: port `RuleStore`. */
import { chmod, mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { BastionError } from '../contract/errors.ts';
import type { LoadError } from '../contract/types.ts';
import type { Mode } from '../contract/vocabulary.ts';
import type { AddedRule, Clock, LoadedRules, Logger, NewRule, RuleStore, Settings } from '../ports.ts';
import { UnconfirmedWrite, removeLeftovers, writeFileAtomic } from './atomic-file.ts';
import type { FileCalls } from './atomic-file.ts';
import { withRules } from './rule-store/add-all.ts';
import { assemble } from './rule-store/assemble.ts';
import type { UserLookup } from './rule-store/assemble.ts';
import { FileWatch } from './rule-store/file-watch.ts';
import { isInboundAsMeant, withInbound } from './rule-store/inbound-edit.ts';
import type { ZoneInboundEdit } from './rule-store/inbound-edit.ts';
import { LastGood } from './rule-store/last-good.ts';
import { LIMITS } from './rule-store/limits.ts';
import type { StoreLimits } from './rule-store/limits.ts';
import type { RuleTextParsers } from './rule-store/rule-block.ts';
import type { RuleFile } from './rule-store/rule-file.ts';
import { areSameSettings, DEFAULT_SETTINGS, readSettings } from './rule-store/settings.ts';
import { decode, refusalProblem, RuleFolder, toLoadErrors, USER_FILE } from './rule-store/sources.ts';
import type { Source } from './rule-store/sources.ts';
import { setKey } from './rule-store/splice.ts';
import {
  isAsMeant, withChangedRule, withOverride, withoutRule, withRule, withRuleEnabled,
} from './rule-store/user-edits.ts';
import type { Edit } from './rule-store/user-edits.ts';
import { checkTrustedFolder, readTrustedFile } from './trusted-file.ts';

export type { RuleTextParsers } from './rule-store/rule-block.ts';
export type { UserLookup } from './rule-store/assemble.ts';

export interface RuleStoreOptions {
  /** Holds bastion.toml and rules.d. */
  readonly configDir: string;
  /** Holds the vendor's rule files. */
  readonly vendorDir: string;
  /** Holds last-good. */
  readonly stateDir: string;
  /** The shipped bastion.toml, from which a missing one is made. */
  readonly defaultSettingsFile?: string;
  readonly parsers: RuleTextParsers;
  readonly lookupUser: UserLookup;
  readonly logger: Logger;
  readonly clock: Clock;
  /** The system calls of a write, for a test that cuts the power between them. */
  readonly fileCalls?: FileCalls;
  /** Smaller limits for tests. */
  readonly limits?: Partial<StoreLimits>;
}

/** Counters since the helper started. */
export interface RuleStoreCounters {
  readonly loads: number;
  /** Files that were refused or broken, summed over all loads. */
  readonly badFiles: number;
  /** Rules that the limit left out, in the last load. */
  readonly rulesOverLimit: number;
  /** Edits that met a hand edit and were made again on the new text. */
  readonly concurrentEdits: number;
}

/** Hand edits between reading and writing are met by starting again, this often. */
const EDIT_ATTEMPTS = 5;
const FILE_MODE = 0o640;

export function createRuleStore(options: RuleStoreOptions): RuleStore & { counters(): RuleStoreCounters } {
  return new TomlRuleStore(options);
}

class TomlRuleStore implements RuleStore {
  private readonly options: RuleStoreOptions;
  private readonly limits: StoreLimits;
  private readonly settingsPath: string;
  private readonly rulesDir: string;
  private readonly lastGood: LastGood;
  private readonly own: RuleFolder;
  private readonly vendor: RuleFolder;
  private readonly files: FileWatch;
  /** Files that are not ours, as they were loaded last; null before that. */
  private elsewhere: Elsewhere | null = null;
  /** As they were loaded or written last; null before that. */
  private settings: Settings | null = null;
  /** The system refused to read them: they are looked at again although nobody changes them. */
  private settingsUnread = false;
  private readonly tally = { loads: 0, badFiles: 0, rulesOverLimit: 0, concurrentEdits: 0 };
  private turn: Promise<unknown> = Promise.resolve();

  constructor(options: RuleStoreOptions) {
    this.options = options;
    this.limits = { fileBytes: LIMITS.fileBytes, files: LIMITS.files, rules: LIMITS.rules, ...options.limits };
    this.settingsPath = join(options.configDir, 'bastion.toml');
    this.rulesDir = join(options.configDir, 'rules.d');
    this.lastGood = new LastGood(options.stateDir, this.limits.fileBytes, options.logger, options.fileCalls);
    const deps = { parsers: options.parsers, lastGood: this.lastGood, limits: this.limits, logger: options.logger };
    this.own = new RuleFolder(this.rulesDir, 'rules', deps);
    this.vendor = new RuleFolder(options.vendorDir, 'vendor', deps);
    this.files = new FileWatch([this.rulesDir, options.vendorDir], [this.settingsPath], options.logger);
  }

  counters(): RuleStoreCounters {
    return this.tally;
  }

  load(): Promise<LoadedRules> {
    return this.inTurn(() => this.loadNow());
  }

  watch(changed: () => void): () => void {
    return this.files.listen(changed);
  }

  add(rule: NewRule): Promise<void> {
    return this.inTurn(async () => {
      const elsewhere = await this.rulesElsewhere();
      await this.editUserFile(async (text, file) => {
        if (elsewhere.enabled(rule.id) !== null || file.rules.some(({ content }) => content.id === rule.id)) throw new BastionError('Conflict');
        if (file.rules.length >= this.limits.rules) throw new BastionError('LimitReached');
        await this.requireUser(rule.user);
        return withRule(text, file, rule, { parsers: this.options.parsers, nowMs: this.options.clock.wallMs() });
      });
    });
  }

  addAll(rules: readonly AddedRule[], overrides: readonly { readonly rule: string; readonly enabled: boolean }[]): Promise<void> {
    return this.inTurn(async () => {
      const elsewhere = await this.rulesElsewhere();
      for (const user of new Set(rules.map(({ rule }) => rule.user))) await this.requireUser(user);
      await this.editUserFile(async (text, file) => {
        const taken = new Set(file.rules.map(({ content }) => content.id));
        for (const { rule } of rules) {
          if (taken.has(rule.id) || elsewhere.enabled(rule.id) !== null) throw new BastionError('Conflict', `There is a rule ${rule.id} already.`);
          taken.add(rule.id);
        }
        if (taken.size > this.limits.rules) throw new BastionError('LimitReached');
        return withRules(text, file, { rules, overrides }, { parsers: this.options.parsers, nowMs: this.options.clock.wallMs() });
      });
    });
  }

  update(id: string, rule: NewRule): Promise<void> {
    return this.inTurn(async () => {
      if (rule.id !== id) throw new BastionError('InvalidArgument', 'The id of a rule does not change.');
      const elsewhere = await this.rulesElsewhere();
      await this.editUserFile(async (text, file) => {
        requireInUserFile(id, file, elsewhere);
        await this.requireUser(rule.user);
        return withChangedRule(text, file, rule, this.options.parsers);
      });
    });
  }

  remove(id: string): Promise<void> {
    return this.inTurn(async () => {
      const elsewhere = await this.rulesElsewhere();
      await this.editUserFile((text, file) => {
        requireInUserFile(id, file, elsewhere);
        return Promise.resolve(withoutRule(text, file, id));
      });
    });
  }

  setEnabled(id: string, enabled: boolean): Promise<void> {
    return this.inTurn(async () => {
      const elsewhere = await this.rulesElsewhere();
      const target = { of: 'rule', name: id } as const;
      await this.editUserFile((text, file) => {
        if (file.rules.some(({ content }) => content.id === id)) {
          const hasOverride = file.overrides.some(({ content }) => content.of === 'rule' && content.name === id);
          return Promise.resolve(hasOverride ? withOverride(text, file, target, enabled) : withRuleEnabled(text, file, id, enabled));
        }
        const says = elsewhere.enabled(id);
        if (says === null) throw new BastionError('NotFound');
        return Promise.resolve(withOverride(text, file, target, enabled === says ? null : enabled));
      });
    });
  }

  setGroup(group: string, enabled: boolean): Promise<void> {
    return this.inTurn(() => this.editUserFile((text, file) => (
      Promise.resolve(withOverride(text, file, { of: 'group', name: group }, enabled ? null : false))
    )));
  }

  setMode(mode: Mode): Promise<void> {
    return this.editSettings((text) => setKey(text, ['mode'], `"${mode}"`, 0), (before, after) => areSameSettings(after, { ...before, mode }));
  }

  setInbound(zone: string, inbound: ZoneInboundEdit): Promise<void> {
    return this.editSettings((text, { zones = [], interfaces = [], defaultZone }) => {
      const before = zones.find(({ name }) => name === zone) ?? null;
      if (before === null && zone !== defaultZone && !interfaces.some((one) => one.zone === zone)) {
        throw new BastionError('NotFound', `There is no zone ${zone} in bastion.toml.`);
      }
      return withInbound(text, zone, inbound, before);
    }, (before, after) => isInboundAsMeant(before, after, zone, inbound));
  }

  /** Writes what `edit` makes of bastion.toml, if it then says what `isMeant` wants. */
  private editSettings(edit: (text: string, before: Settings) => string, isMeant: (before: Settings, after: Settings) => boolean): Promise<void> {
    return this.inTurn(async () => {
      await this.prepareFolder(this.options.configDir);
      this.settings = await this.editFile(this.settingsPath, async (text) => {
        const start = text ?? await this.shippedSettings();
        const before = readSettings(start);
        if (!before.ok) throw brokenFile('bastion.toml', before.problems[0]);
        const edited = edit(start, before.settings);
        const after = readSettings(edited);
        if (!after.ok || !isMeant(before.settings, after.settings)) throw new BastionError('Failed', 'The change could not be written into bastion.toml.');
        return { text: edited, means: after.settings };
      });
      const bytes = await readTrustedFile(this.settingsPath, this.limits.fileBytes);
      if (bytes.ok) await this.lastGood.keep('settings', 'bastion.toml', bytes.value);
    });
  }

  exportText(): Promise<string> {
    return this.inTurn(async () => (await this.readText(join(this.rulesDir, USER_FILE))) ?? '');
  }

  private async loadNow(): Promise<LoadedRules> {
    if (this.tally.loads === 0) await this.clean();
    this.tally.loads += 1;
    this.files.setKnown(await this.files.snapshot());
    const errors: LoadError[] = [];
    const settings = await this.loadSettings(errors);
    const own = await this.own.load(this.limits.files);
    const vendor = await this.vendor.load(this.limits.files - own.sources.length);
    const sources = [...own.sources, ...vendor.sources];
    const assembled = await assemble(sources, (source) => this.folderOf(source), {
      lookup: this.options.lookupUser, ruleLimit: this.limits.rules, settings,
    });
    if (assembled.waitsForUsers || own.unread || vendor.unread || this.settingsUnread) this.files.lookAgainLater();
    this.elsewhere = new Elsewhere(sources);
    this.tally.badFiles += sources.filter((source) => source.state !== 'good').length;
    this.tally.rulesOverLimit = assembled.rulesOverLimit;
    errors.push(...own.errors, ...vendor.errors, ...assembled.errors);
    const { rules, groupsOff } = assembled;
    return { settings, rules, errors: bounded(errors), ...(groupsOff.length === 0 ? {} : { groupsOff }) };
  }

  /** Nobody writes yet: what looks like a write is one that was never finished. */
  private async clean(): Promise<void> {
    for (const folder of [this.options.configDir, this.rulesDir]) {
      if ((await checkTrustedFolder(folder)).ok) await removeLeftovers(folder);
    }
    await this.lastGood.clean();
  }

  private async loadSettings(errors: LoadError[]): Promise<Settings> {
    this.settings = await this.readSettings(errors);
    return this.settings;
  }

  private async readSettings(errors: LoadError[]): Promise<Settings> {
    this.settingsUnread = false;
    const outcome = await this.readTrusted(this.options.configDir, this.settingsPath);
    let problems;
    if (outcome.ok) {
      const { text, problems: encoding } = decode(outcome.value);
      const result = readSettings(text);
      if (result.ok && encoding.length === 0) {
        const kept = await this.lastGood.keep('settings', 'bastion.toml', outcome.value);
        if (kept === 'changed') this.options.logger.log('info', 'bastion.toml was changed by hand', { file: this.settingsPath });
        return result.settings;
      }
      problems = [...encoding, ...(result.ok ? [] : result.problems)];
    } else if (outcome.refusal.code === 'missing') {
      return DEFAULT_SETTINGS;
    } else {
      problems = [refusalProblem(outcome.refusal)];
      this.settingsUnread = outcome.refusal.code === 'unreadable';
    }
    this.tally.badFiles += 1;
    if (this.settingsUnread && this.settings !== null) {
      errors.push(...toLoadErrors(this.settingsPath, problems, ' What was read of it before stays in force.'));
      return this.settings;
    }
    const copy = await this.lastGood.read('settings', 'bastion.toml');
    const kept = copy === null ? null : readSettings(decode(copy).text);
    const ending = kept?.ok === true ? ' The last good version of this file stays in force.' : ' The default settings are in force.';
    errors.push(...toLoadErrors(this.settingsPath, problems, ending));
    return kept?.ok === true ? kept.settings : DEFAULT_SETTINGS;
  }

  private async editUserFile(change: (text: string, file: RuleFile) => Promise<Edit>): Promise<void> {
    await this.prepareFolder(this.options.configDir);
    await this.prepareFolder(this.rulesDir);
    const path = join(this.rulesDir, USER_FILE);
    const made = await this.editFile(path, async (current) => {
      const text = current ?? '';
      const file = await this.own.parseUserFile(text);
      if (file.problems.length > 0) throw brokenFile(USER_FILE, file.problems[0]);
      if (current !== null && await this.lastGood.keep('rules', USER_FILE, Buffer.from(text)) === 'changed') {
        this.options.logger.log('info', 'a rule file was changed by hand', { file: path, rules: file.rules.length });
      }
      const edit = await change(text, file);
      const means = await this.own.parseUserFile(edit.text);
      if (!isAsMeant(means, edit.meaning)) {
        throw new BastionError('Failed', 'The change could not be written into 50-user.toml without changing something else.');
      }
      return { text: edit.text, means };
    });
    this.own.setUserFile(made);
    const written = await readTrustedFile(path, this.limits.fileBytes);
    if (written.ok) await this.lastGood.keep('rules', USER_FILE, written.value);
  }

  /** Writes what `change` makes of the text and returns what that means; begins again if the file changed meanwhile. */
  private async editFile<T>(path: string, change: (text: string | null) => Promise<{ readonly text: string; readonly means: T }>): Promise<T> {
    for (let attempt = 0; attempt < EDIT_ATTEMPTS; attempt += 1) {
      const before = await this.readText(path);
      const { text, means } = await change(before);
      if (text === before) return means;
      const bytes = Buffer.from(text);
      if (bytes.length > this.limits.fileBytes) throw new BastionError('LimitReached', `${path} would become too large.`);
      if (await this.readText(path) !== before) {
        this.tally.concurrentEdits += 1;
        continue;
      }
      try {
        await writeFileAtomic(path, bytes, FILE_MODE, this.options.fileCalls);
      } catch (error: unknown) {
        if (error instanceof UnconfirmedWrite) this.files.doubt(path);
        const what = error instanceof UnconfirmedWrite ? 'was changed, but the change may not survive a power cut.' : 'could not be written.';
        throw new BastionError('Failed', `${path} ${what}`, { cause: error });
      }
      await this.files.ownWrite(path, bytes);
      return means;
    }
    throw new BastionError('Busy', `${path} is being changed by somebody else. Try again.`);
  }

  /** null for a file that does not exist. Throws BastionError Failed for one that may not be used. */
  private async readText(path: string): Promise<string | null> {
    const outcome = await this.readTrusted(dirname(path), path);
    if (outcome.ok) {
      const { text, problems } = decode(outcome.value);
      if (problems[0] !== undefined) throw new BastionError('Failed', `${path}: ${problems[0].message}`);
      return text;
    }
    if (outcome.refusal.code === 'missing') return null;
    throw new BastionError('Failed', `${path}: ${refusalProblem(outcome.refusal).message}`);
  }

  private async readTrusted(folder: string, path: string): Promise<Awaited<ReturnType<typeof readTrustedFile>>> {
    const checked = await checkTrustedFolder(folder);
    return checked.ok ? readTrustedFile(path, this.limits.fileBytes) : checked;
  }

  private async prepareFolder(path: string): Promise<void> {
    const made = await mkdir(path, { recursive: true, mode: 0o755 });
    if (made !== undefined) await chmod(path, 0o755);
    const checked = await checkTrustedFolder(path);
    if (!checked.ok) throw new BastionError('Failed', `${path}: ${refusalProblem(checked.refusal).message}`);
  }

  private async shippedSettings(): Promise<string> {
    const { defaultSettingsFile } = this.options;
    return defaultSettingsFile === undefined ? '' : readFile(defaultSettingsFile, 'utf8').catch(() => '');
  }

  private async rulesElsewhere(): Promise<Elsewhere> {
    if (this.elsewhere === null) await this.loadNow();
    return this.elsewhere ?? new Elsewhere([]);
  }

  private async requireUser(user: string): Promise<void> {
    if (user === '' || /^\d+$/.test(user) || await this.options.lookupUser(user) !== null) return;
    throw new BastionError('InvalidArgument', 'The user of this rule is not known on this machine.');
  }

  private folderOf(source: Source): string {
    return source.tier === 'vendor' ? this.options.vendorDir : this.rulesDir;
  }

  /** One load or edit at a time, in the order of the calls. */
  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.turn.then(work);
    this.turn = result.catch(() => undefined);
    return result;
  }
}

function requireInUserFile(id: string, file: RuleFile, elsewhere: Elsewhere): void {
  if (file.rules.some(({ content }) => content.id === id)) return;
  throw new BastionError(elsewhere.enabled(id) !== null ? 'ReadOnly' : 'NotFound');
}

/** Looked through for each edit: edits are few, and an index of all ids would be as large as the rules. */
class Elsewhere {
  private readonly sources: readonly Source[];

  constructor(sources: readonly Source[]) {
    this.sources = sources.filter(({ tier }) => tier !== 'user');
  }

  /** What the file of this rule says; null where there is no such rule. */
  enabled(id: string): boolean | null {
    for (const { file } of this.sources) {
      for (const { content } of file.rules) if (content.id === id) return content.enabled;
    }
    return null;
  }
}

function bounded(errors: readonly LoadError[]): readonly LoadError[] {
  if (errors.length <= LIMITS.problems) return errors;
  const more = errors.length - LIMITS.problems;
  return [...errors.slice(0, LIMITS.problems), { file: '', line: 0, column: 0, message: `There are ${String(more)} more problems.` }];
}

function brokenFile(name: string, problem: { readonly line: number; readonly column: number; readonly message: string } | undefined): BastionError {
  const place = problem === undefined ? '' : `, line ${String(problem.line)}, column ${String(problem.column)}: ${problem.message}`;
  return new BastionError('Failed', `Mend ${name} first${place}`);
}
