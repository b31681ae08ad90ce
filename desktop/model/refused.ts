/** What was refused lately: alike connections are one row, and each row says what can be done about it. */
import type { FlowInfo, RuleEdit, RuleInfo } from '../../helper/contract/types.ts';
import { KERNEL_PATH } from '../../helper/contract/vocabulary.ts';
import { _, fill, ngettext } from '../i18n.ts';
import { agoText, countText } from './durations.ts';
import { showHost } from './host-name.ts';
import { visible } from './plain-text.ts';
import { programName } from './program-name.ts';
import type { FindProgram } from './program-name.ts';
import { serviceName } from './service-name.ts';

/**
 * `allow`: a new rule, filled in, would let it through. `edit`: a rule of the person's own refuses it, and is edited instead.
 * `none`: the administrator refuses it, or it is not known which program, or which script, it was.
 */
export type RefusedRemedy =
  | { readonly kind: 'allow'; readonly draft: RuleEdit }
  | { readonly kind: 'edit'; readonly rule: RuleInfo }
  | { readonly kind: 'none' };

export interface RefusedRow {
  /** The newest of them. */
  readonly flow: FlowInfo;
  readonly count: number;
  readonly title: string;
  readonly text: string;
  readonly remedy: RefusedRemedy;
}

/** Who runs scripts of others: a rule for the interpreter alone lets no script through, and one for all its scripts too many. */
const INTERPRETER = /\/(?:python|pypy|node|nodejs|ruby|perl|php|lua|bash|dash|zsh|ksh|fish|sh|java|guile)[\d.]*$/;

function keyOf({ path, forwarded_from: sender = '', host, address, port, protocol, uid }: FlowInfo): string {
  return [path, sender, host === '' ? address : host, String(port), protocol, String(uid)].join('\0');
}

/** A name that the program itself asked for stands in a rule; any other could be somebody else's. */
function destinationOf({ host, address, name_sources: sources }: FlowInfo): RuleEdit {
  return host !== '' && sources[0] !== undefined && sources[0] !== 'machine' ? { domain: host } : { address };
}

/** The narrowest rule that lets this connection through the next time. */
export function draftOf(flow: FlowInfo, find: FindProgram): RuleEdit {
  const { path, protocol, port, user } = { ...flow, user: String(flow.uid) };
  const ports = protocol === 'tcp' || protocol === 'udp' ? { port: String(port) } : {};
  const target = destinationOf(flow);
  return {
    action: 'allow', path, protocol, user, ...ports, ...target,
    name: fill(_('{program} to {host}'), { program: programName(path, find), host: target.domain ?? flow.address }).slice(0, 128),
  };
}

function remedyOf(flow: FlowInfo, rules: ReadonlyMap<string, RuleInfo>, find: FindProgram): RefusedRemedy {
  const rule = rules.get(flow.rule_id);
  if (rule !== undefined) return rule.editable ? { kind: 'edit', rule } : { kind: 'none' };
  // Of a rule that is not known here nobody can say whether another one would go before it.
  if (flow.rule_id !== '' || flow.forwarded_from !== undefined) return { kind: 'none' };
  const nameable = flow.path !== '' && flow.path !== KERNEL_PATH && !INTERPRETER.test(flow.path);
  return !nameable ? { kind: 'none' } : { kind: 'allow', draft: draftOf(flow, find) };
}

function causeText(flow: FlowInfo, rules: ReadonlyMap<string, RuleInfo>): string {
  const rule = rules.get(flow.rule_id);
  if (rule !== undefined) return fill(_('by rule {rule}'), { rule: visible(rule.name, 80) });
  return flow.rule_id === '' ? '' : _('by a rule');
}

/** At most `most` rows, the newest first. `flows` may hold several readings one after the other. */
export function refusedRows(
  flows: readonly FlowInfo[], rules: readonly RuleInfo[], find: FindProgram, nowMs: number, most: number,
): readonly RefusedRow[] {
  const byId = new Map(rules.map((rule) => [rule.id, rule]));
  const groups = new Map<string, { readonly flow: FlowInfo; count: number }>();
  for (const flow of [...flows].sort((a, b) => b.time_ms - a.time_ms)) {
    const known = groups.get(keyOf(flow));
    if (known === undefined) groups.set(keyOf(flow), { flow, count: 1 });
    else known.count += 1;
  }
  return [...groups.values()].slice(0, most).map(({ flow, count }) => {
    const who = flow.forwarded_from === undefined ? programName(flow.path, find) : visible(flow.forwarded_from, 128);
    const where = flow.host === '' ? flow.address : showHost(flow.host).name;
    const times = count === 1 ? '' : fill(ngettext('{number} time', '{number} times', count), { number: countText(count) });
    return {
      flow, count, title: fill(_('{program} to {host}'), { program: who, host: where }),
      text: [serviceName(flow.protocol, flow.port), causeText(flow, byId), times, agoText(flow.time_ms, nowMs)].filter((part) => part !== '').join('  ·  '),
      remedy: remedyOf(flow, byId, find),
    };
  });
}
