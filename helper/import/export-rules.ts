/** Rules as rules.json of Bastion Firewall 2, and as JSON. */
import { BastionError } from '../contract/errors.ts';
import { WIRE_LIMITS } from '../contract/names.ts';
import type { RuleInfo } from '../contract/types.ts';
import { parsePorts } from '../policy/text.ts';

/** A rule with more ports becomes too many keys. */
const MOST_PORTS = 64;
/** What rules.json can say, and what says nothing. */
const SAYABLE: ReadonlySet<string> = new Set(['id', 'name', 'action', 'enabled', 'path', 'port', 'lifetime', 'tier', 'editable', 'file', 'line',
  'created_ms', 'hits', 'last_hit_ms', 'group', 'priority']);

/** All rules as one JSON list of ruleInfo. Throws BastionError LimitReached above the longest text of an answer. */
export function exportJson(rules: readonly RuleInfo[]): string {
  return boundedExport(`[${rules.map((rule) => `\n  ${JSON.stringify(rule)}`).join(',')}\n]\n`);
}

/**
 * The user's rules that are on. Throws BastionError NotSupported for the first that rules.json cannot say: a file without it
 * would allow or refuse something else.
 */
export function exportBastionRules(rules: readonly RuleInfo[]): string {
  const keys = new Map<string, boolean>();
  for (const rule of rules.filter((one) => one.tier === 'user' && one.enabled)) {
    const ports = portsOf(rule);
    if (ports === null) {
      throw new BastionError('NotSupported', `The rule ${rule.id} cannot be said in rules.json, which has programs, single ports, allow and deny only. Switch it off or use the format toml.`);
    }
    for (const port of ports) {
      const key = `${rule.path}:${port}`;
      const before = keys.get(key);
      if (before !== undefined && before !== (rule.action === 'allow')) {
        throw new BastionError('NotSupported', `Several rules say different things of ${key}, which rules.json cannot. Switch one off or use the format toml.`);
      }
      keys.set(key, rule.action === 'allow');
    }
  }
  return boundedExport(`${JSON.stringify({ applications: {}, services: {}, ...Object.fromEntries(keys) }, null, 2)}\n`);
}

/** The ports of the keys that a rule becomes; null for one that cannot be said. */
function portsOf(rule: RuleInfo): readonly string[] | null {
  const extra = Object.entries(rule).some(([key, value]) => !SAYABLE.has(key) && value !== '' && value !== false);
  if (extra || !rule.path.startsWith('/') || rule.action === 'ask' || rule.lifetime !== 'always') return null;
  if (rule.port === '') return ['*'];
  const ranges = parsePorts(rule.port);
  const all = (ranges.ok ? ranges.value ?? [] : []).flatMap(({ first, last }) => (
    last - first < MOST_PORTS ? Array.from({ length: last - first + 1 }, (_, index) => first + index) : [0, 0, ...new Array<number>(MOST_PORTS).fill(0)]
  ));
  // 0 means every port there.
  return all.length === 0 || all.length > MOST_PORTS || all.includes(0) ? null : all.map(String);
}

/** Throws BastionError LimitReached for a text that no answer can hold. */
export function boundedExport(text: string): string {
  if (text.length > WIRE_LIMITS.textLength) throw new BastionError('LimitReached', 'The rules are more than 1 MiB of text: copy the rule file itself, or read them with List.');
  return text;
}
