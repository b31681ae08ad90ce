/** Changes of rules: validated, durable where the lifetime says so, one at a time. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { BastionError } from '../contract/errors.ts';
import type { LoadError, RuleEdit, RuleInfo } from '../contract/types.ts';
import type { Rule } from '../contract/vocabulary.ts';
import type { Additions, RuleUse } from '../engine-api.ts';
import type { LoadedRules } from '../ports.ts';
import { baseName } from '../prompt/choices.ts';
import type { EngineDeps } from './deps.ts';
import { draftAdditions } from './rule-additions.ts';
import { isTemporary, RULE_LIMITS } from './rule-book.ts';
import type { PreparedRules, RuleBook } from './rule-book.ts';
import { applyEdit, blankDraft, draftOf, fileForm, isEditable, ruleInfoOf, ruleOf } from './rule-edit.ts';

const USER_FILE = '50-user.toml';
const UNWRITTEN = 'The answer holds until the machine restarts, but it could not be written to the rule file.';
const SUFFIX_LENGTH = 4;
const LONGEST_SUFFIX = 12;

export interface RuleDeskOptions {
  readonly deps: EngineDeps;
  readonly book: RuleBook;
  /** Rules in force are others now. */
  onChanged(): void;
  onLoaded(loaded: LoadedRules, prepared: PreparedRules): void;
}

export class RuleDesk {
  readonly #deps: EngineDeps;
  readonly #book: RuleBook;
  readonly #onChanged: () => void;
  readonly #onLoaded: RuleDeskOptions['onLoaded'];
  /** Rows made before, for lists are asked for page by page. */
  readonly #infos = new WeakMap<Rule, RuleInfo>();
  /** The end of the last write or load: each waits for the one before. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: RuleDeskOptions) {
    this.#deps = options.deps;
    this.#book = options.book;
    this.#onChanged = () => {
      options.onChanged();
    };
    this.#onLoaded = (loaded, prepared) => {
      options.onLoaded(loaded, prepared);
    };
  }

  /** Runs `work` after everything that was begun before. */
  inOrder<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }

  reload(): Promise<readonly LoadError[]> {
    return this.inOrder(async () => {
      const loaded = await this.#deps.store.load();
      this.#onLoaded(loaded, await inSlices(this.#book.prepare(loaded.rules, loaded.groupsOff ?? [])));
      return loaded.errors;
    });
  }

  add(edit: RuleEdit, forUid: number | undefined): Promise<string> {
    return this.inOrder(async () => {
      if (edit.action === undefined) throw new BastionError('InvalidArgument', 'action: allow, deny, drop or ask is needed.');
      const nowMs = this.#deps.clock.wallMs();
      const id = edit.id ?? this.newId((suffix) => `${plainId(baseName(edit.path ?? null)) || 'rule'}-${suffix}`);
      if (this.#book.has(id)) throw new BastionError('Conflict', 'There is a rule with this id already.');
      const draft = applyEdit(blankDraft(id), edit, nowMs);
      const owned = forUid === undefined ? draft : { ...draft, user: String(forUid) };
      const rule = ruleOf(owned, { tier: 'user', created: nowMs, source: null }, this.#deps.users);
      this.checkRoom(rule);
      const form = fileForm(rule, this.#deps.users);
      if (form !== null) await this.#deps.store.add(form);
      this.#book.put(form === null ? rule : { ...rule, source: { file: USER_FILE, line: 0 } });
      this.#onChanged();
      return id;
    });
  }

  preview(edit: RuleEdit): RuleInfo {
    const [made] = draftAdditions([{ edit }], this.#deps);
    if (made === undefined) throw new BastionError('InvalidArgument');
    return ruleInfoOf(made.rule, { hits: 0, lastHitMs: 0 }, this.#deps.users);
  }

  addAll({ rules, overrides }: Additions): Promise<readonly string[]> {
    return this.inOrder(async () => {
      const made = draftAdditions(rules, this.#deps);
      for (const { rule } of made) {
        if (this.#book.has(rule.id)) throw new BastionError('Conflict', `There is a rule ${rule.id} already.`);
      }
      for (const group of [made.filter(({ form }) => form !== null), made.filter(({ form }) => form === null)]) {
        const [first] = group;
        if (first !== undefined) this.checkRoom(first.rule, group.length);
      }
      const written = made.flatMap(({ form, block }) => (form === null ? [] : [{ rule: form, ...(block === undefined ? {} : { block }) }]));
      if (written.length > 0 || overrides.length > 0) await this.#deps.store.addAll(written, overrides);
      for (const { rule, form } of made) this.#book.put(form === null ? rule : { ...rule, source: { file: USER_FILE, line: 0 } });
      for (const { rule, enabled } of overrides) {
        const before = this.#book.get(rule);
        if (before !== null && before.tier !== 'built-in') this.#book.put({ ...before, enabled });
      }
      this.#onChanged();
      return made.map(({ rule }) => rule.id);
    });
  }

  update(id: string, edit: RuleEdit): Promise<void> {
    return this.inOrder(async () => {
      const before = this.#get(id);
      if (edit.id !== undefined && edit.id !== id) throw new BastionError('InvalidArgument', 'id: a rule keeps its id.');
      if (isEditable(before)) await this.#rewrite(before, edit);
      else await this.#switch(before, edit);
      this.#onChanged();
    });
  }

  remove(id: string): Promise<void> {
    return this.inOrder(async () => {
      const rule = this.#get(id);
      if (!isEditable(rule)) throw new BastionError('ReadOnly');
      if (!isTemporary(rule)) await this.#deps.store.remove(id);
      this.#book.delete(id);
      this.#onChanged();
    });
  }

  /** Switches all rules of a group, whoever made them. */
  setGroup(group: string, enabled: boolean): Promise<void> {
    return this.inOrder(async () => {
      if (group === '' || !this.#book.hasGroup(group)) throw new BastionError('NotFound', 'There is no group of this name.');
      await this.#deps.store.setGroup(group, enabled);
      this.#book.replace(await inSlices(this.#book.prepareGroup(group, enabled)));
      this.#onChanged();
    });
  }

  /**
   * Writes a rule that is in force already. When it cannot be written it holds until the machine restarts, and the promise
   * rejects with BastionError Failed.
   */
  write(rule: Rule): Promise<void> {
    const form = fileForm(rule, this.#deps.users);
    if (form === null) return Promise.resolve();
    this.#book.setUnwritten(rule.id, true);
    return this.inOrder(async () => {
      // Removed or edited meanwhile: that came later and has been written.
      if (this.#book.get(rule.id) !== rule) return;
      try {
        await this.#deps.store.add(form);
        this.#book.setUnwritten(rule.id, false);
        this.#book.put({ ...rule, source: { file: USER_FILE, line: 0 } });
      } catch (error: unknown) {
        // One with an end stays marked as unwritten, which carries it over the next load; its end is near enough.
        if (rule.lifetime === 'always') {
          this.#book.setUnwritten(rule.id, false);
          this.#book.put({ ...rule, lifetime: 'boot' });
        }
        this.#deps.logger.log('error', 'a rule could not be written', { rule: rule.id, error: String(error) });
        throw new BastionError('Failed', UNWRITTEN, { cause: error });
      } finally {
        this.#onChanged();
      }
    });
  }

  /** A rule id that is not taken; `make` gets small letters and digits. */
  newId(make: (suffix: string) => string): string {
    for (let length = SUFFIX_LENGTH; length <= LONGEST_SUFFIX; length += 1) {
      const id = make(this.#deps.newNonce().slice(0, length));
      if (!this.#book.has(id)) return id;
    }
    throw new BastionError('Conflict', 'No free rule id could be found.');
  }

  /** Throws BastionError LimitReached when `count` more rules of this kind are too many. */
  checkRoom(rule: Rule, count = 1): void {
    const full = isTemporary(rule)
      ? this.#book.temporaryCount + count > RULE_LIMITS.memory
      : this.#book.writtenCount + count > RULE_LIMITS.user;
    if (full) throw new BastionError('LimitReached', 'There are too many rules; remove some first.');
  }

  /** Removes rules of processes and sessions that have gone. True when there were any. */
  sweep(sessions: ReadonlySet<string>): boolean {
    const gone = this.#book.sweep(({ match: { process, session } }) => {
      if (session !== undefined && !sessions.has(session)) return true;
      return process !== undefined && !this.#deps.processes.alive(process.pid, process.startNs);
    });
    return gone.length > 0;
  }

  uses(): readonly RuleUse[] {
    return this.#book.sorted().map((rule) => ({ rule, ...this.#book.use(rule.id) }));
  }

  infos(): readonly RuleInfo[] {
    return this.#book.sorted().map((rule) => this.#info(rule));
  }

  #info(rule: Rule): RuleInfo {
    const { users } = this.#deps;
    const use = this.#book.use(rule.id);
    const { uid } = rule.match;
    const before = this.#infos.get(rule);
    const same = before?.hits === use.hits && before.user === (uid === undefined ? '' : users.name(uid));
    if (before !== undefined && same) return before;
    const info = ruleInfoOf(rule, use, users);
    this.#infos.set(rule, info);
    return info;
  }

  #get(id: string): Rule {
    const rule = this.#book.get(id);
    if (rule === null) throw new BastionError('NotFound', 'There is no rule with this id.');
    return rule;
  }

  async #rewrite(before: Rule, edit: RuleEdit): Promise<void> {
    const { users, store } = this.#deps;
    const draft = applyEdit(draftOf(before, users), edit, this.#deps.clock.wallMs());
    const kept = draft.lifetime === before.lifetime ? before.match : {};
    const after = ruleOf(draft, before, users, kept);
    const form = fileForm(after, users);
    const wasWritten = !isTemporary(before);
    if (wasWritten === (form === null)) this.checkRoom(after);
    if (form === null) {
      if (wasWritten) await store.remove(before.id);
      this.#book.put({ ...after, source: null });
      return;
    }
    if (wasWritten) await store.update(before.id, form);
    else await store.add(form);
    this.#book.put(wasWritten ? after : { ...after, source: { file: USER_FILE, line: 0 } });
  }

  /** A rule of the administrator or the vendor: only off and on. */
  async #switch(before: Rule, edit: RuleEdit): Promise<void> {
    const { enabled, ...others } = edit;
    if (before.tier === 'built-in' || enabled === undefined || Object.keys(others).length > 0) throw new BastionError('ReadOnly');
    await this.#deps.store.setEnabled(before.id, enabled);
    this.#book.put({ ...withoutGroupSwitch(before), enabled });
  }
}

function withoutGroupSwitch({ groupOff, ...rule }: Rule): Rule {
  return groupOff === undefined ? rule : { ...rule, ...groupOff };
}

/** A slice of long work; decisions go on between two of them. */
const SLICE_MS = 8;

async function inSlices<T>(work: Generator<void, T>): Promise<T> {
  for (;;) {
    const endMs = performance.now() + SLICE_MS;
    while (performance.now() < endMs) {
      const step = work.next();
      if (step.done === true) return step.value;
    }
    await nextTurn();
  }
}

/** What of a file name can stand in a rule id. */
function plainId(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9.]+/g, '-').replace(/^[-.]+/, '').slice(0, 48).replace(/[-.]+$/, '');
}
