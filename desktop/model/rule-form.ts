/** The rule editor's fields: what they hold, what is wrong with them, and the edit that they make. */
import { isIP } from 'node:net';
import type { RuleEdit, RuleInfo } from '../../helper/contract/types.ts';
import type { RuleAction } from '../../helper/contract/vocabulary.ts';
import { _, fill } from '../i18n.ts';
import { visible } from './plain-text.ts';

/** `hour` becomes `until` one hour from saving; `until` keeps the time that the rule has. */
export const FORM_LIFETIMES = ['always', 'boot', 'hour', 'until'] as const;
export type FormLifetime = (typeof FORM_LIFETIMES)[number];

/** Everything as the person typed it. */
export interface RuleForm {
  readonly name: string;
  readonly action: RuleAction;
  readonly path: string;
  readonly address: string;
  readonly port: string;
  readonly protocol: string;
  readonly user: string;
  readonly lifetime: FormLifetime;
  /** With lifetime `until`: wall time, ms since 1970. */
  readonly untilMs: number;
  readonly schedule: string;
  readonly priority: string;
  readonly group: string;
}

export type FormField = 'name' | 'path' | 'address' | 'port' | 'protocol' | 'user' | 'schedule' | 'priority' | 'group' | 'form';
export type FormErrors = ReadonlyMap<FormField, string>;

const HOUR_MS = 3_600_000;
const PROTOCOLS = new Set(['tcp', 'udp', 'icmp']);
const SCHEDULE = /^(?:(?:mon|tue|wed|thu|fri|sat|sun)(?:,(?:mon|tue|wed|thu|fri|sat|sun))*\s+)?\d{2}:\d{2}-\d{2}:\d{2}$/;
const NAME_LIMIT = 128;
const SHORT_LIMIT = 64;

export function emptyForm(): RuleForm {
  return {
    name: '', action: 'allow', path: '', address: '', port: '', protocol: 'tcp', user: '', lifetime: 'always', untilMs: 0,
    schedule: '', priority: '0', group: '',
  };
}

/** Lifetimes that cannot be edited over D-Bus show as `always`; the edit then leaves them alone. */
export function formOf(rule: RuleInfo): RuleForm {
  const lifetime = rule.lifetime === 'boot' || rule.lifetime === 'until' ? rule.lifetime : 'always';
  return {
    name: rule.name === rule.id ? '' : rule.name, action: rule.action, path: rule.path, address: rule.address, port: rule.port,
    protocol: rule.protocol, user: rule.user, lifetime, untilMs: rule.until_ms ?? 0, schedule: rule.schedule,
    priority: String(rule.priority), group: rule.group,
  };
}

function portsError(text: string): string {
  for (const part of text.split(',')) {
    const range = /^\s*(\d{1,5})(?:\s*-\s*(\d{1,5}))?\s*$/.exec(part);
    if (range === null) return _('Ports are numbers and ranges: 443 or 80,443,8000-8080.');
    const first = Number(range[1]);
    const last = Number(range[2] ?? range[1]);
    if (first < 1 || last > 65_535) return _('Ports go from 1 to 65535.');
    if (first > last) return fill(_('The range {range} runs backwards.'), { range: part.trim() });
  }
  return '';
}

function addressError(text: string): string {
  const [address = '', prefix, ...rest] = text.split('/');
  const family = isIP(address);
  const wrong = _('An address like 192.0.2.7 or 2001:db8::1, or a network like 192.0.2.0/24.');
  if (family === 0 || rest.length > 0) return wrong;
  if (prefix === undefined) return '';
  if (!/^\d{1,3}$/.test(prefix)) return wrong;
  const longest = family === 4 ? 32 : 128;
  return Number(prefix) > longest ? fill(_('The part after the slash goes from 0 to {longest}.'), { longest: String(longest) }) : '';
}

function protocolError(text: string): string {
  const known = text.split(',').every((part) => {
    const word = part.trim().toLowerCase();
    return PROTOCOLS.has(word) || (/^\d{1,3}$/.test(word) && Number(word) <= 255);
  });
  return known ? '' : _('tcp, udp, icmp, or a protocol number from 0 to 255.');
}

function scheduleError(text: string): string {
  const wrong = _('Days and times like mon,fri 09:00-17:30.');
  if (!SCHEDULE.test(text)) return wrong;
  const times = [...text.matchAll(/(\d{2}):(\d{2})/g)];
  return times.every((time) => Number(time[1]) < 24 && Number(time[2]) < 60) ? '' : wrong;
}

function usesPorts(protocol: string): boolean {
  return protocol === '' || protocol.split(',').some((part) => ['tcp', 'udp', '6', '17'].includes(part.trim().toLowerCase()));
}

/** Messages to show next to the fields; empty when the form may be saved. The helper checks everything again. */
export function checkForm(form: RuleForm): FormErrors {
  const errors = new Map<FormField, string>();
  const set = (field: FormField, message: string): void => {
    if (message !== '') errors.set(field, message);
  };
  if (form.name.length > NAME_LIMIT) set('name', fill(_('At most {number} characters.'), { number: String(NAME_LIMIT) }));
  if (form.path !== '' && !/^\/[^\0]*[^/\0]$/.test(form.path)) set('path', _('The full path of a program, like /usr/bin/curl.'));
  if (form.path.split('/').some((part) => part === '.' || part === '..')) set('path', _('A path without “.” and “..”.'));
  if (form.address !== '') set('address', addressError(form.address.trim()));
  if (form.protocol !== '') set('protocol', protocolError(form.protocol));
  if (form.port !== '') set('port', usesPorts(form.protocol) ? portsError(form.port) : _('Only TCP and UDP have ports.'));
  if (form.user.length > SHORT_LIMIT || /[\s:]/.test(form.user)) set('user', _('A user name or number.'));
  if (form.schedule !== '') set('schedule', scheduleError(form.schedule.trim()));
  if (!/^-?\d{1,4}$/.test(form.priority.trim()) || Math.abs(Number(form.priority)) > 1000) {
    set('priority', _('A whole number from -1000 to 1000.'));
  }
  if (form.group.length > SHORT_LIMIT) set('group', fill(_('At most {number} characters.'), { number: String(SHORT_LIMIT) }));
  if (form.action === 'allow' && form.path === '' && form.address === '' && form.port === '') {
    set('form', _('This would allow every program to reach everything. Name a program, an address or a port.'));
  }
  return errors;
}

/** What Add and Update take. `nowMs`: wall time, ms since 1970. `old` is the rule that is edited, null for a new one. */
export function editOf(form: RuleForm, old: RuleInfo | null, nowMs: number): RuleEdit {
  const edit: RuleEdit = {
    action: form.action, path: form.path, address: form.address.trim(), port: form.port.replaceAll(' ', ''),
    protocol: form.protocol.replaceAll(' ', '').toLowerCase(), user: form.user, schedule: form.schedule.trim(),
    priority: Number(form.priority), group: form.group.trim(),
  };
  const named = form.name.trim() === '' && old === null ? edit : { ...edit, name: form.name.trim() || (old?.id ?? '') };
  return { ...named, ...lifetimeOf(form, old, nowMs) };
}

function lifetimeOf(form: RuleForm, old: RuleInfo | null, nowMs: number): RuleEdit {
  switch (form.lifetime) {
    case 'hour': return { lifetime: 'until', until_ms: nowMs + HOUR_MS };
    case 'until': return { lifetime: 'until', until_ms: form.untilMs };
    case 'boot': return { lifetime: 'boot' };
    case 'always':
      return old !== null && ['once', 'process', 'session'].includes(old.lifetime) ? {} : { lifetime: 'always' };
    default: return {};
  }
}

/** Puts back what was removed. The id is asked for again; hits begin at 0. */
export function restoreOf(rule: RuleInfo): RuleEdit {
  const edit = editOf(formOf(rule), null, 0);
  return { ...edit, id: rule.id, name: rule.name, enabled: rule.enabled };
}

/** Which field the helper's message speaks of: its messages begin with the key (`port: ...`, `"schedule": ...`). */
export function fieldOfMessage(message: string): { readonly field: FormField; readonly text: string } {
  const found = /^"?(?:\w+\.)?(name|path|address|port|protocol|user|schedule|priority|group)\b"?\s*:?\s*/.exec(message);
  const field = found?.[1];
  switch (field) {
    case 'name': case 'path': case 'address': case 'port': case 'protocol': case 'user': case 'schedule': case 'priority':
    case 'group':
      return { field, text: visible(message, 300) };
    default:
      return { field: 'form', text: visible(message, 300) };
  }
}
