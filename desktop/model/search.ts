/** What the shell's search finds of the firewall: programs and rules, as a small index that lives while somebody searches. */
import type { ApplicationInfo, RuleInfo } from '../../helper/contract/types.ts';
import { _, fill, ngettext } from '../i18n.ts';
import { countText } from './format.ts';
import { visible } from './plain-text.ts';
import { programName } from './program-name.ts';
import type { FindProgram } from './program-name.ts';
import { ruleText } from './rule-text.ts';

export const SEARCH_LIMITS = {
  /** Things in the index; what is beyond is found in the window. */
  entries: 8000,
  /** Words of one search, and letters of one word. */
  terms: 16, termLength: 64,
  results: 20,
  /** Results whose texts are asked for at once. */
  metas: 64,
  idLength: 256, titleLength: 128, textLength: 256,
} as const;

/** Where a result leads: a page of the window, and what it shows there. */
export type SearchTarget =
  | { readonly page: 'applications'; readonly application: string }
  | { readonly page: 'rules'; readonly item: string };

/** What the shell shows of a result. */
export interface SearchMeta {
  readonly id: string;
  readonly title: string;
  readonly text: string;
  /** Icon name or absolute path. */
  readonly icon: string;
}

interface Entry {
  readonly id: string;
  readonly target: SearchTarget;
  /** Folded: what a search begins with counts more. */
  readonly name: string;
  readonly haystack: string;
  /** More first, among those that fit equally. */
  readonly weight: number;
  readonly meta: () => Omit<SearchMeta, 'id'>;
}

/** Small letters without accents, so that `cafe` finds `Café`. */
export function fold(text: string): string {
  return text.normalize('NFKD').replaceAll(/\p{M}/gu, '').toLowerCase();
}

/** The words of a search, folded; [] for one that would find nearly everything. */
export function searchTerms(words: readonly string[]): readonly string[] {
  const terms = words.slice(0, SEARCH_LIMITS.terms).map((word) => fold(word.slice(0, SEARCH_LIMITS.termLength)).trim()).filter((word) => word !== '');
  return terms.join('').length < 2 ? [] : terms;
}

export class SearchIndex {
  readonly #entries = new Map<string, Entry>();
  /** Things that had no room, or an id that is too long. */
  readonly left: number;

  constructor(applications: readonly ApplicationInfo[], rules: readonly RuleInfo[], find: FindProgram, nowMs: number) {
    const all = [...applications.map((one) => applicationEntry(one, find)), ...rules.map((one) => ruleEntry(one, find, nowMs))];
    let left = 0;
    for (const entry of all) {
      if (entry.id.length > SEARCH_LIMITS.idLength || this.#entries.size >= SEARCH_LIMITS.entries) left += 1;
      else this.#entries.set(entry.id, entry);
    }
    this.left = left;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Ids of what has every word, the best first. `among`: only these. */
  find(words: readonly string[], among: readonly string[] | null = null): readonly string[] {
    const terms = searchTerms(words);
    if (terms.length === 0) return [];
    const candidates = among === null ? [...this.#entries.values()] : among.flatMap((id) => this.#entries.get(id) ?? []);
    return candidates
      .filter((entry) => terms.every((term) => entry.haystack.includes(term)))
      .map((entry) => ({ entry, rank: rankOf(entry, terms) }))
      .sort((a, b) => a.rank - b.rank || b.entry.weight - a.entry.weight || (a.entry.name < b.entry.name ? -1 : 1))
      .slice(0, SEARCH_LIMITS.results)
      .map(({ entry }) => entry.id);
  }

  /** Of the ids that are known; bounded. */
  metas(ids: readonly string[]): readonly SearchMeta[] {
    return ids.slice(0, SEARCH_LIMITS.metas).flatMap((id) => {
      const entry = this.#entries.get(id);
      if (entry === undefined) return [];
      const { title, text, icon } = entry.meta();
      return [{ id, title: visible(title, SEARCH_LIMITS.titleLength), text: visible(text, SEARCH_LIMITS.textLength), icon }];
    });
  }

  /** null for an id that is not known. */
  target(id: string): SearchTarget | null {
    return this.#entries.get(id)?.target ?? null;
  }
}

/** Programs before rules; a name that begins so before one that has it inside. */
function rankOf(entry: Entry, terms: readonly string[]): number {
  const first = terms[0] ?? '';
  const where = entry.name.startsWith(first) ? 0 : entry.name.includes(first) ? 1 : 2;
  return where * 2 + (entry.target.page === 'applications' ? 0 : 1);
}

function applicationEntry(info: ApplicationInfo, find: FindProgram): Entry {
  const file = find(info.path) ?? (info.flatpak === '' ? null : find(`flatpak:${info.flatpak}`)) ?? (info.snap === '' ? null : find(`snap:${info.snap}`));
  const name = file?.name ?? visible(info.name, SEARCH_LIMITS.titleLength);
  return {
    id: `application:${info.id}`, target: { page: 'applications', application: info.id }, name: fold(name),
    haystack: fold([name, info.name, info.path, info.package, info.flatpak, info.snap].join('\n').slice(0, 2048)),
    weight: info.allowed + info.refused,
    meta: () => ({ title: name, text: applicationText(info), icon: file?.icon || 'application-x-executable' }),
  };
}

function applicationText(info: ApplicationInfo): string {
  const connections = info.allowed + info.refused;
  const often = fill(ngettext('{number} connection', '{number} connections', connections), { number: countText(connections) });
  const rules = info.rules === 0 ? _('no rule') : fill(ngettext('{number} rule', '{number} rules', info.rules), { number: countText(info.rules) });
  return [rules, often, visible(info.path, 160)].filter((part) => part !== '').join('  ·  ');
}

const RULE_ICON = 'bastion-firewall-allow-symbolic';

function ruleEntry(rule: RuleInfo, find: FindProgram, nowMs: number): Entry {
  const program = rule.path === '' ? '' : programName(rule.path, find);
  const parts = [
    program, rule.name, rule.id, rule.path, rule.address, rule.domain ?? '', rule.group, rule.package ?? '', rule.flatpak ?? '',
    rule.snap ?? '', rule.appimage ?? '', rule.script ?? '', rule.container ?? '', rule.list ?? '', rule.zone ?? '',
  ];
  return {
    id: `rule:${rule.id}`, target: { page: 'rules', item: rule.id }, name: fold(program || rule.name),
    haystack: fold(parts.join('\n').slice(0, 2048)), weight: rule.hits,
    meta: () => ({
      title: ruleText(rule, find, nowMs), text: rule.enabled ? _('Firewall rule') : _('Firewall rule, switched off'),
      icon: RULE_ICON.replace('allow', rule.action),
    }),
  };
}
