/** The report and the rules of one file in the making. What leaves here has been checked and has an id. */
import { createHash } from 'node:crypto';
import type { RuleEdit } from '../contract/types.ts';
import { ruleProblem } from './check.ts';
import type { Lines } from './node.ts';
import { IMPORT_LIMITS, tooMuch } from './types.ts';
import type { Imported, ImportItem, ImportOutcome, TrustedProgram } from './types.ts';

const SLUG_LENGTH = 40;
const HASH_LENGTH = 10;
const NAME_LENGTH = 128;
const SETTINGS_LENGTH = 4096;

/** A rule without an id; `enabled` is absent for one that is on. */
export type DraftRule = Omit<RuleEdit, 'id' | 'group'> & { readonly action: NonNullable<RuleEdit['action']> };

/** One line for people: no control, format or separator character, no half of a character, at most `length` long. */
export function label(text: string, length: number = NAME_LENGTH): string {
  const plain = text.slice(0, length * 4).toWellFormed().replaceAll(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ').trim();
  // A pair that is cut in two becomes U+FFFD.
  return plain.slice(0, length).toWellFormed().replaceAll('\u{fffd}', '').trim();
}

/** A word of the file inside a sentence. */
export function quoted(text: string): string {
  return `"${label(text, 64)}${text.length > 64 ? '…' : ''}"`;
}

/** Last part of a path. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/**
 * The same rule has the same id in every import, so that importing twice adds nothing. Priority is left out: it depends on what
 * else is in the file.
 */
export function stableId(rule: DraftRule): string {
  const told = Object.entries(rule).filter(([key]) => key !== 'name' && key !== 'priority').sort(([a], [b]) => (a < b ? -1 : 1));
  const hash = createHash('sha256').update(JSON.stringify(told)).digest('hex').slice(0, HASH_LENGTH);
  const words = [rule.name ?? '', baseName(rule.path ?? ''), rule.domain ?? '', rule.address ?? ''];
  const slug = words.map(slugOf).find((one) => one !== '') ?? 'rule';
  return `${slug}-${hash}`;
}

function slugOf(text: string): string {
  return text.slice(0, NAME_LENGTH).toLowerCase().replaceAll(/[^a-z0-9]+/g, '-').replace(/^-/, '').slice(0, SLUG_LENGTH).replace(/-$/, '');
}

/** What one thing of the file became, before it is checked. */
export interface Told {
  readonly at: number;
  readonly source: string;
  readonly text: string;
  readonly rule?: DraftRule;
  /** With `rule`, of review: what to do about the rule that is off. */
  readonly advice?: string;
}

/** Parts of a rule that keep it from being one for everything. */
const NARROWING = ['path', 'sha256', 'domain', 'address', 'interface'] as const satisfies readonly (keyof DraftRule)[];
/** Programs that run scripts: an allow rule for one covers none of its scripts here. */
const INTERPRETER = /^(?:python|perl|ruby|node|nodejs|bash|sh|dash|zsh|fish|php|lua|java|tclsh|guile|deno|bun|pwsh)[0-9.]*$/;

export class Draft {
  readonly #lines: Lines;
  readonly #group: string;
  readonly #items: ImportItem[] = [];
  readonly #lineOf = new Map<string, number>();
  readonly #settings: string[] = [];
  readonly #applications = new Map<string, TrustedProgram>();
  #settingsLength = 0;

  /** `group` is what the rules are listed under. */
  constructor(lines: Lines, group: string) {
    this.#lines = lines;
    this.#group = group;
  }

  kept(told: Told): void {
    const { rule, text } = told;
    if (rule?.action !== 'allow' || rule.path === undefined || !INTERPRETER.test(baseName(rule.path))) this.#tell('kept', told);
    else this.#tell('changed', { ...told, text: `${text} Scripts that it runs are asked about one by one.` });
  }

  changed(told: Told): void {
    this.#tell('changed', told);
  }

  /**
   * The rule is switched off, whatever it says. What is left of one can name nothing any more; that is not kept even so, because
   * switched on it would be for everything.
   */
  review({ rule, advice = 'The rule is off: correct it, then switch it on.', ...told }: Told): void {
    if (rule === undefined) {
      this.#tell('review', told);
      return;
    }
    // A refusal that is missing opens what the other rules of the file allow.
    const opens = (rule.action === 'deny' || rule.action === 'drop') && rule.enabled !== false ? ' Until then other rules decide what it refused.' : '';
    const isForAll = NARROWING.every((part) => rule[part] === undefined);
    const text = `${told.text} ${isForAll ? 'No rule was made, for it would be for everything.' : advice}${opens}`;
    this.#tell('review', isForAll ? { ...told, text } : { ...told, text, rule: { ...rule, enabled: false } });
  }

  skipped(told: Omit<Told, 'rule'>): void {
    this.#tell('skipped', told);
  }

  /** Lines for bastion.toml, for a person to put there. */
  setting(text: string): void {
    this.#settingsLength += text.length + 1;
    if (this.#settingsLength > IMPORT_LIMITS.items * 64) tooMuch('The file has too many settings; import it in parts.');
    if (text.length <= SETTINGS_LENGTH) this.#settings.push(text);
  }

  /** False when the same path is there with another hash. */
  application(program: TrustedProgram): boolean {
    const before = this.#applications.get(program.path);
    if (before !== undefined) return before.sha256 === program.sha256;
    this.#applications.set(program.path, program);
    return true;
  }

  /** One item as it is, for formats that bring ids of their own. */
  add(item: ImportItem): void {
    if (this.#items.length >= IMPORT_LIMITS.items) {
      tooMuch(`The file has more than ${String(IMPORT_LIMITS.items)} entries; import it in parts.`);
    }
    this.#items.push({
      ...item,
      source: label(item.source, IMPORT_LIMITS.sourceLength),
      text: label(item.text, IMPORT_LIMITS.textLength),
    });
  }

  line(at: number): number {
    return this.#lines.place(at).line;
  }

  done(): Imported {
    return {
      items: this.#items,
      settings: this.#settings.map((one) => `${one}\n`).join(''),
      applications: [...this.#applications.values()],
    };
  }

  #tell(outcome: ImportOutcome, { at, source, text, rule }: Told): void {
    const line = this.line(at);
    if (rule === undefined) {
      this.add({ outcome, line, source, text });
      return;
    }
    const cleaned: DraftRule = { ...rule, ...(rule.name === undefined ? {} : { name: label(rule.name) }) };
    const problem = ruleProblem(cleaned);
    if (problem !== null) {
      this.add({ outcome: 'skipped', line, source, text: `Not imported: ${problem}.` });
      return;
    }
    const id = stableId(cleaned);
    const first = this.#lineOf.get(id);
    if (first !== undefined) {
      this.add(outcome === 'review'
        ? { outcome, line, source, text: `${text} What is left is the rule of line ${String(first)}.` }
        : { outcome: 'skipped', line, source, text: `Line ${String(first)} says the same.` });
      return;
    }
    this.#lineOf.set(id, line);
    const { name, ...content } = cleaned;
    this.add({
      outcome, line, source, text,
      rule: { id, ...(name === undefined || name === '' ? {} : { name }), ...content, group: this.#group },
    });
  }
}
