/** A recorded flow in words: for its row, for a screen reader, for a group of flows. */
import { UNKNOWN_UID } from '../../helper/contract/names.ts';
import type { FlowInfo, TotalsInfo } from '../../helper/contract/types.ts';
import type { RuleAction } from '../../helper/contract/vocabulary.ts';
import { _, fill, ngettext } from '../i18n.ts';
import { clockText, countText, sizeText } from './format.ts';
import { showHost } from './host-name.ts';
import { visible } from './plain-text.ts';
import { asker, askerIcon } from './program-name.ts';
import type { FindProgram } from './program-name.ts';
import { programOfKey } from './activity-filter.ts';
import { serviceName } from './service-name.ts';

export interface FlowTexts {
  readonly name: string;
  /** Icon name or absolute path. */
  readonly icon: string;
  readonly where: string;
  readonly verdict: string;
  /** Icon name of the verdict. */
  readonly verdictIcon: string;
  /** `4.2 kB in, 1 kB out`; '' where nothing was counted. */
  readonly amount: string;
  readonly when: string;
  /** The whole row as one sentence. */
  readonly sentence: string;
}

const UNKNOWN_ICON = 'dialog-question-symbolic';

/** What was done, in one word. A question that nobody answered was a refusal. */
export function verdictWord(action: RuleAction): string {
  const words: Record<RuleAction, string> = { allow: _('Allowed'), deny: _('Refused'), drop: _('Dropped'), ask: _('Refused') };
  return words[action];
}

export function verdictIcon(action: RuleAction): string {
  return `bastion-firewall-${action === 'ask' ? 'deny' : action}-symbolic`;
}

/** `example.org`, `münchen.de (xn--mnchen-3ya.de)`, an address. */
export function hostText(name: string): string {
  const host = showHost(name);
  return host.other === '' ? host.name : fill(_('{name} ({other})'), { name: host.name, other: host.other });
}

function service({ protocol, port, direction }: FlowInfo): string {
  // The port of who spoke first says nothing.
  return direction === 'in' && protocol !== 'icmp' ? fill(_('incoming, {protocol}'), { protocol: visible(protocol, 16).toUpperCase() }) : serviceName(visible(protocol, 16), port);
}

export function flowName(flow: FlowInfo, find: FindProgram): string {
  return visible(asker(flow, find), 256);
}

export function flowHost({ host, address }: FlowInfo): string {
  return hostText(host === '' ? address : host);
}

/** `encrypted web (443)`, `incoming, TCP`. */
export function flowService(flow: FlowInfo): string {
  return service(flow);
}

/** `4.2 kB in, 1 kB out`; '' where nothing was counted. */
export function amountText(flow: Pick<FlowInfo, 'sent_bytes' | 'received_bytes'>): string {
  const { sent_bytes: sent, received_bytes: received } = flow;
  if (sent === undefined || received === undefined) return '';
  return fill(_('{received} in, {sent} out'), { received: sizeText(received), sent: sizeText(sent) });
}

function sentenceOf(flow: FlowInfo, parts: Omit<FlowTexts, 'sentence'> & { readonly host: string; readonly service: string }): string {
  const patterns: Record<RuleAction, string> = {
    allow: _('{name} was allowed to reach {host}, {service}, at {when}.'),
    deny: _('{name} was refused {host}, {service}, at {when}.'),
    drop: _('{name} was silently blocked from {host}, {service}, at {when}.'),
    ask: _('{name} was refused {host}, {service}, at {when}.'),
  };
  const text = fill(patterns[flow.action], { name: parts.name, host: parts.host, service: parts.service, when: parts.when });
  return parts.amount === '' ? text : fill(_('{sentence} {amount}.'), { sentence: text, amount: parts.amount });
}

/** Of others than `uid` the user is told. `nowMs`: wall time. */
export function flowTexts(flow: FlowInfo, context: { readonly find: FindProgram; readonly nowMs: number; readonly uid: number }): FlowTexts {
  const { find, nowMs, uid } = context;
  const host = flowHost(flow);
  const what = service(flow);
  const icon = flow.forwarded_from === undefined ? askerIcon(flow, find) : 'network-server-symbolic';
  const plain = flowName(flow, find);
  const name = flow.uid === uid || flow.forwarded_from !== undefined || flow.uid === UNKNOWN_UID ? plain : fill(_('{name} (user {uid})'), { name: plain, uid: String(flow.uid) });
  const parts = {
    name, icon: icon === '' ? UNKNOWN_ICON : icon, where: [host, what].join('  ·  '), verdict: verdictWord(flow.action),
    verdictIcon: verdictIcon(flow.action), amount: amountText(flow), when: clockText(flow.time_ms, nowMs),
  };
  return { ...parts, sentence: sentenceOf(flow, { ...parts, host, service: what }) };
}

export interface GroupTexts {
  readonly name: string;
  readonly icon: string;
  /** `1,204 connections, 12 refused`. */
  readonly counts: string;
  readonly amount: string;
  readonly when: string;
  readonly sentence: string;
}

/** `1,204 connections, 12 refused`. */
export function countsText({ connections = 0, refused = 0 }: TotalsInfo): string {
  const all = fill(ngettext('{number} connection', '{number} connections', connections), { number: countText(connections) });
  if (refused === 0) return all;
  return fill(_('{all}, {number} refused'), { all, number: countText(refused) });
}

function groupName(row: TotalsInfo, find: FindProgram, uid: number): string {
  const { others, destination, program = '', user } = row;
  if (others !== undefined) {
    return destination === undefined
      ? fill(ngettext('{number} other program', '{number} other programs', others), { number: countText(others) })
      : fill(ngettext('{number} other destination', '{number} other destinations', others), { number: countText(others) });
  }
  if (destination !== undefined) return hostText(destination);
  const name = visible(asker(programOfKey(program), find), 256);
  return row.uid === uid || row.uid === UNKNOWN_UID ? name : fill(_('{name} ({user})'), { name, user: visible(user, 64) });
}

/** One row of a group view. */
export function groupTexts(row: TotalsInfo, context: { readonly find: FindProgram; readonly nowMs: number; readonly uid: number }): GroupTexts {
  const { find, nowMs, uid } = context;
  const isProgram = row.destination === undefined && row.others === undefined && row.program?.startsWith('from:') !== true;
  const icon = isProgram ? askerIcon(programOfKey(row.program ?? ''), find) : 'network-server-symbolic';
  const moved = row.sent_bytes + row.received_bytes > 0 ? amountText(row) : '';
  const parts = {
    name: groupName(row, find, uid), icon: icon === '' ? UNKNOWN_ICON : icon, counts: countsText(row), amount: moved,
    when: row.last_ms === undefined || row.last_ms === 0 ? '' : clockText(row.last_ms, nowMs),
  };
  const told = [parts.counts, parts.amount].filter((text) => text !== '').join(', ');
  const sentence = parts.when === '' ? fill(_('{name}: {told}.'), { name: parts.name, told }) : fill(_('{name}: {told}, last at {when}.'), { name: parts.name, told, when: parts.when });
  return { ...parts, sentence };
}
