/** Why a flow was decided as it was: sentences, and what is known of it. */
import { UNKNOWN_UID } from '../../helper/contract/names.ts';
import type { Explanation, FlowInfo, Obstacle } from '../../helper/contract/types.ts';
import { OBSTACLES, ORDER_REASONS } from '../../helper/contract/types.ts';
import type { Reason } from '../../helper/contract/vocabulary.ts';
import { _, fill } from '../i18n.ts';
import { dateTimeText, sizeText } from './format.ts';
import { amountText, flowName, verdictWord } from './flow-text.ts';
import { visible } from './plain-text.ts';
import { ancestorName } from './program-name.ts';
import type { FindProgram } from './program-name.ts';
import { evidenceText, fileDetails, nameLine } from './prompt-details.ts';
import type { Detail } from './prompt-details.ts';
import { serviceName } from './service-name.ts';

/** A rule's name for people by its id; null where it is not there any more. */
export type RuleName = (id: string) => string | null;

type OrderReason = (typeof ORDER_REASONS)[number];

function becauseText(code: string): string {
  const texts: Record<OrderReason, string> = {
    tier: _('because of who made it'),
    priority: _('because its priority is higher'),
    program: _('because it names the program more exactly'),
    address: _('because its destination is more exact'),
    port: _('because its ports are more exact'),
    protocol: _('because its protocols are more exact'),
    user: _('because it names the user'),
    ancestor: _('because it names who started the program'),
    action: _('because deny rules go before allow rules'),
    age: _('because it is the older one'),
    id: _('because one of two equal rules has to go first'),
  };
  const known = ORDER_REASONS.find((one) => one === code);
  return known === undefined ? '' : texts[known];
}

function missedText(code: string, rule: string): string {
  const texts: Record<Obstacle, string> = {
    'file-changed': _('“{rule}” would have allowed it, but the program’s file is not the known one.'),
    'script-claimed': _('“{rule}” would have allowed it, but only the program itself says which script it runs.'),
    'interpreter-unknown': _('“{rule}” would have allowed it, but what runs the script belongs to no package, and the rule does not name it.'),
    'script-unnamed': _('“{rule}” would have allowed it, but the program runs scripts, and the rule names none.'),
    'hash-untrusted': _('“{rule}” would have allowed it, but the file’s checksum is not among the trusted ones.'),
    'lineage-unsure': _('“{rule}” would have allowed it, but who started the program is not certain.'),
    'program-unsure': _('“{rule}” would have allowed it, but it is not certain which program it was.'),
    several: _('“{rule}” would have allowed it, but too little is certain about the program.'),
  };
  const known = OBSTACLES.find((one) => one === code);
  return known === undefined ? '' : fill(texts[known], { rule });
}

/** `{done}` is `Allowed` or its like. */
function reasonPattern(reason: Exclude<Reason, 'rule'>, hasRule: boolean): string {
  const texts: Record<Exclude<Reason, 'rule'>, string> = {
    'mode-learning': _('{done}, because the firewall is learning and no rule refuses it'),
    paused: _('{done}, because the firewall was paused and no rule refuses it'),
    'default-action': _('{done} by default, because no rule matches'),
    'prompt-answer': hasRule ? _('{done} by an answer, which made the rule “{rule}”') : _('{done} by an answer, for this once'),
    'prompt-expired': _('{done}, because nobody answered in time'),
    'no-owner': _('{done}, because no program could be found that owns it'),
    reply: _('{done}, because it answers the other side, which spoke first, and no rule refuses it'),
    forwarded: _('{done} by the settings for forwarded connections, because no rule matches'),
    inbound: _('{done}, because connections from outside to this port are for another program only'),
    limit: _('{done} without a question, because too many were waiting'),
    safeguard: _('{done} without a question, because there were too many new connections (Safeguard Mode)'),
    'helper-stopping': _('{done}, because the firewall was stopping'),
    remembered: hasRule ? _('{done} in the kernel, which remembers the rule “{rule}”') : _('{done} in the kernel, which remembers an earlier decision'),
  };
  return texts[reason];
}

function decided(why: Pick<Explanation, 'action' | 'reason' | 'rule_id' | 'because'>, ruleName: RuleName): string {
  const done = verdictWord(why.action);
  const name = ruleName(why.rule_id);
  const rule = visible(name ?? why.rule_id, 128);
  if (why.reason !== 'rule') return fill(_('{sentence}.'), { sentence: fill(reasonPattern(why.reason, why.rule_id !== ''), { done, rule }) });
  if (name === null) return fill(_('{done} by the rule “{rule}”, which no longer exists.'), { done, rule });
  const because = why.because === undefined ? '' : becauseText(why.because);
  return because === ''
    ? fill(_('{done} by the rule “{rule}”, the only one that matches.'), { done, rule })
    : fill(_('{done} by the rule “{rule}”, {because}.'), { done, rule, because });
}

/** The sentences of the panel, the first says what decided. */
export function explainSentences(why: Explanation, ruleName: RuleName): readonly string[] {
  const named = (id: string): string => visible(ruleName(id) ?? id, 128);
  const next = why.next_rule_id === '' ? '' : fill(_('Next would have been “{rule}”.'), { rule: named(why.next_rule_id) });
  const missed = why.missed_rule_id === undefined ? '' : missedText(why.missed_because ?? '', named(why.missed_rule_id));
  return [decided(why, ruleName), next, missed].filter((text) => text !== '');
}

/** The programs that started it as a tree, the farthest at the top, the program itself at the end; '' where none is known. */
export function lineageTree(flow: FlowInfo, why: Explanation, find: FindProgram): string {
  const { ancestors = [] } = why;
  if (ancestors.length === 0) return '';
  const line = (name: string, path: string, pid: number): string => {
    const number = pid === 0 ? '' : `  (${String(pid)})`;
    return `${visible(name, 128)}${path === '' ? '' : `  ${visible(path, 256)}`}${number}`;
  };
  const parents = [...ancestors].reverse().map((one) => {
    const name = ancestorName(one, find);
    return name === '' ? line(fill(_('“{command}”, as it calls itself'), { command: one.command }), '', one.pid) : line(name, one.script ?? one.path, one.pid);
  });
  const all = [...parents, line(flowName(flow, find), '', flow.pid)];
  return all.map((text, depth) => `${depth === 0 ? '' : `${'   '.repeat(depth - 1)}└ `}${text}`).join('\n');
}

function detail(title: string, text: string): readonly Detail[] {
  return text === '' ? [] : [{ title, text }];
}

function programDetails(flow: FlowInfo, why: Explanation, find: FindProgram): readonly Detail[] {
  if (flow.forwarded_from !== undefined) return [{ title: _('Comes from'), text: visible(flow.forwarded_from, 256) }];
  const evidence = evidenceText(flow);
  const user = why.user ?? String(flow.uid);
  return [
    ...fileDetails({ ...why, path: flow.path }),
    { title: _('Identified'), text: evidence },
    ...detail(_('User'), flow.uid === UNKNOWN_UID ? '' : `${visible(user, 64)} (${String(flow.uid)})`),
    ...detail(_('Process'), flow.pid === 0 ? '' : `${String(flow.pid)}  ${visible(why.command ?? '', 64)}`),
    ...detail(_('Started by'), lineageTree(flow, why, find)),
  ];
}

function endpoint(address: string, port: number): string {
  const shown = visible(address, 64);
  if (port === 0) return shown;
  return shown.includes(':') ? `[${shown}]:${String(port)}` : `${shown}:${String(port)}`;
}

/** What is known of the flow, each with a heading. */
export function flowDetails(flow: FlowInfo, why: Explanation, find: FindProgram): readonly Detail[] {
  const names = flow.names.map((name, at) => nameLine(name, flow.name_sources[at] ?? 'machine'));
  const hasPorts = flow.protocol === 'tcp' || flow.protocol === 'udp';
  const ended = flow.ended_ms === undefined ? '' : dateTimeText(flow.ended_ms);
  return [
    ...programDetails(flow, why, find),
    { title: _('Address'), text: `${visible(flow.address, 64)}, ${serviceName(visible(flow.protocol, 16), flow.port)}` },
    ...detail(_('Names'), names.join('\n')),
    { title: _('Sent from'), text: [endpoint(flow.source_address, hasPorts ? flow.source_port : 0), visible(flow.interface, 64)].filter((text) => text !== '').join(', ') },
    { title: _('When'), text: dateTimeText(flow.time_ms) },
    ...detail(_('Ended'), ended),
    ...detail(_('Amount'), amountText(flow) === '' ? fill(_('first packet {size}'), { size: sizeText(flow.length) }) : amountText(flow)),
    { title: _('Connection'), text: visible(flow.id, 64) },
  ];
}

/** Everything of the panel as plain text, for the clipboard. */
export function detailsText(head: readonly string[], sentences: readonly string[], details: readonly Detail[]): string {
  const blocks = details.map(({ title, text }) => (text.includes('\n') ? `${title}:\n${text}` : `${title}: ${text}`));
  return `${[...head, ...sentences, '', ...blocks].join('\n')}\n`;
}
