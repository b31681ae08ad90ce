/** Mistakes in the rule editor's fields, and which field the helper's complaint is about. The helper checks everything again. */
import { isIP } from 'node:net';
import { KERNEL_PATH } from '../../helper/contract/vocabulary.ts';
import { _, fill } from '../i18n.ts';
import { visible } from './plain-text.ts';
import { localMs, PLACE_KEYS, PROGRAM_KEYS, SUBJECT_KEYS } from './rule-form.ts';
import type { RuleForm, SubjectKey } from './rule-form.ts';
import { timeError } from './rule-schedule.ts';

/** Fields that have a place for a message; `form` is the message above all of them. */
export const FORM_FIELDS = [
  ...SUBJECT_KEYS, ...PLACE_KEYS, 'port', 'protocol', 'untilDate', 'untilTime', 'from', 'to', 'user', 'ancestor', 'zone', 'interface',
  'profile', 'name', 'group', 'priority', 'form',
] as const;
export type FormField = (typeof FORM_FIELDS)[number];
export type FormErrors = ReadonlyMap<FormField, string>;

const PROTOCOLS = new Set(['tcp', 'udp', 'icmp']);
const NAME_LIMIT = 128;
const SHORT_LIMIT = 64;

/** What is wrong with a list of ports, '' for nothing. */
export function portsError(text: string): string {
  for (const part of text.split(',')) {
    const range = /^\s*(\d{1,5})(?:\s*-\s*(\d{1,5}))?\s*$/.exec(part);
    if (range === null) return _('Ports are numbers and ranges: 443 or 80,443,8000-8080.');
    const first = Number(range[1]);
    const last = Number(range[2] ?? range[1]);
    if (first < 1 || last > 65_535) return _('Ports go from 1 to 65535.');
    if (first > last) return fill(_('The range {range} ends before it begins.'), { range: part.trim() });
  }
  return '';
}

/** Of ICMP the port is the type of the message. */
function icmpError(text: string): string {
  const right = text.split(',').every((part) => /^\s*\d{1,3}(?:\s*-\s*\d{1,3})?\s*$/.test(part) && part.split('-').every((one) => Number(one) <= 255));
  return right ? '' : _('For ICMP, the types of messages, from 0 to 255.');
}

/** What is wrong with an address or a prefix, '' for nothing. */
export function addressError(text: string): string {
  const [address = '', prefix, ...rest] = text.split('/');
  const family = isIP(address);
  const wrong = _('An address like 192.0.2.7 or 2001:db8::1, or a network like 192.0.2.0/24.');
  if (family === 0 || rest.length > 0) return wrong;
  if (prefix === undefined) return '';
  if (!/^\d{1,3}$/.test(prefix)) return wrong;
  const longest = family === 4 ? 32 : 128;
  return Number(prefix) > longest ? fill(_('The part after the slash goes from 0 to {longest}.'), { longest: String(longest) }) : '';
}

function domainError(text: string): string {
  const name = text.startsWith('*.') ? text.slice(2) : text;
  const right = name.length <= 253 && /^[^\s/:@*.]{1,63}(?:\.[^\s/:@*.]{1,63})*\.?$/u.test(name) && isIP(name) === 0;
  return right ? '' : _('A name like example.org, or *.example.org for all names below it.');
}

function protocolError(text: string): string {
  const known = text.split(',').every((part) => {
    const word = part.trim().toLowerCase();
    return PROTOCOLS.has(word) || (/^\d{1,3}$/.test(word) && Number(word) <= 255);
  });
  return known ? '' : _('tcp, udp, icmp, or a protocol number from 0 to 255.');
}

/** What is wrong with a path, '' for nothing; `what` says what is wanted. */
export function pathError(text: string, what: string): string {
  if (!/^\/[^\0]*[^/\0]$/.test(text) || text.includes('//')) return what;
  return text.split('/').some((part) => part === '.' || part === '..') ? _('A path without “.” and “..”.') : '';
}

/** What is wrong with how a program is named, '' if nothing. `value` is not empty. */
export function programError(key: SubjectKey, value: string): string {
  const matches = (pattern: RegExp, message: string): string => (pattern.test(value) ? '' : message);
  switch (key) {
    case 'path': return value === KERNEL_PATH ? '' : pathError(value, _('The full path of a program, like /usr/bin/curl.'));
    case 'appimage': return pathError(value, _('The full path of an AppImage.'));
    case 'script': return pathError(value, _('The full path of a script, like /opt/tools/backup.py.'));
    case 'package': return matches(/^[a-z0-9][a-z0-9+.-]{1,127}$/, _('The name of a package, like firefox-esr.'));
    case 'flatpak': return matches(/^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+\.[A-Za-z_][\w-]*$/, _('The id of a Flatpak, like org.mozilla.firefox.'));
    case 'snap': return matches(/^(?=[^_]*[a-z])[a-z0-9](?:-?[a-z0-9]){0,39}(?:_[a-z0-9]{1,10})?$/, _('The name of a snap, like firefox.'));
    case 'sha256': return matches(/^[0-9a-fA-F]{64}$/, _('The SHA-256 of the file: 64 digits from 0 to 9 and a to f.'));
    case 'container': return matches(/^(?:[A-Za-z0-9][A-Za-z0-9_.-]{0,126}\*?|\*)$/, _('The name of a container, or the beginning of several like web-*.'));
    default: return '';
  }
}

/** Does any protocol of the text have ports? '' has. */
function has(protocol: string, wanted: readonly string[]): boolean {
  return protocol.split(',').some((part) => wanted.includes(part.trim().toLowerCase()));
}

type Set = (field: FormField, message: string) => void;

function checkProgram(form: RuleForm, set: Set): void {
  for (const key of SUBJECT_KEYS) if (form[key].trim() !== '') set(key, programError(key, form[key].trim()));
  const others = PROGRAM_KEYS.some((key) => key !== 'path' && form[key].trim() !== '');
  const named = others || (form.path.trim() !== '' && form.path.trim() !== KERNEL_PATH);
  const ancestor = form.ancestor.trim();
  const isContainer = form.container.trim() !== '';
  if (isContainer && (others || form.path.trim() !== '' || ancestor !== '')) {
    set('container', _('Either a container or a program: which program in it connects cannot be told.'));
  }
  if (ancestor !== '') set('ancestor', ancestor === KERNEL_PATH ? _('The kernel starts no programs.') : programError(form.ancestorKey, ancestor));
  if (form.path.trim() === KERNEL_PATH && (others || ancestor !== '')) set('path', _('The kernel is no program of a package, has no file, and was started by nobody.'));
  if (form.allScripts && form.path.trim() === '') set('path', _('For all its scripts, name the interpreter by its path.'));
  if (form.allScripts && form.script.trim() !== '') set('script', _('Either one script, or all of them.'));
  if (!named && (form.pin || form.includeChildren)) set('form', _('Name the program whose file must not change, or which starts others.'));
}

function checkPlace(form: RuleForm, set: Set): void {
  if (form.address.trim() !== '') set('address', addressError(form.address.trim()));
  if (form.domain.trim() !== '') set('domain', domainError(form.domain.trim()));
  if (PLACE_KEYS.filter((key) => form[key].trim() !== '').length > 1) set('form', _('Only one address, name or list; make a rule for each.'));
  if (form.zone.trim() !== '' && !/^[a-z0-9][a-z0-9_-]{0,31}$/.test(form.zone.trim())) set('zone', _('The name of a zone: small letters, digits, “-” and “_”.'));
  if (form.interface.trim() !== '' && !/^[^\s/:*\p{C}]{1,14}(?:[^\s/:*\p{C}]|\*)?$/u.test(form.interface.trim())) {
    set('interface', _('A network interface like eth0, or the beginning of several like wg*.'));
  }
  const protocol = form.protocol.trim();
  if (protocol !== '') set('protocol', protocolError(protocol));
  if (form.port.trim() === '') return;
  if (protocol === '' || has(protocol, ['tcp', 'udp', '6', '17'])) set('port', portsError(form.port));
  else set('port', has(protocol, ['icmp', '1', '58']) ? icmpError(form.port) : _('Only TCP and UDP have ports.'));
}

function checkTime(form: RuleForm, nowMs: number, set: Set): void {
  const { from, to } = form.schedule;
  if (from.trim() !== '' || to.trim() !== '') {
    if (from.trim() !== '') set('from', timeError(from, false));
    if (to.trim() !== '') set('to', timeError(to, true));
    if (from.trim() === to.trim()) set('to', _('It ends when it begins; leave both empty for the whole day.'));
  }
  if (form.lifetime !== 'until') return;
  if (localMs(form.untilDate, '00:00') === null) set('untilDate', _('A day like 2027-03-01.'));
  if (timeError(form.untilTime, false) !== '') set('untilTime', timeError(form.untilTime, false));
  const end = localMs(form.untilDate, form.untilTime);
  if (end !== null && end <= nowMs) set('untilTime', _('This time has passed.'));
}

function checkLabels(form: RuleForm, set: Set): void {
  const long = (limit: number): string => fill(_('At most {number} characters.'), { number: String(limit) });
  if (form.name.length > NAME_LIMIT) set('name', long(NAME_LIMIT));
  if (form.group.length > SHORT_LIMIT) set('group', long(SHORT_LIMIT));
  if (form.user.trim().length > SHORT_LIMIT || /[\s:]/.test(form.user.trim())) set('user', _('A user name or number.'));
  if (!/^-?\d{1,4}$/.test(form.priority.trim()) || Math.abs(Number(form.priority)) > 1000) set('priority', _('A whole number from -1000 to 1000.'));
  if (form.profile.trim() !== '' && !/^[a-z0-9][a-z0-9_-]{0,31}$/.test(form.profile.trim())) set('profile', _('The id of a profile: small letters, digits, “-” and “_”.'));
}

/** Does it name anything that makes an allow rule less than everything for everybody? */
function isNarrow(form: RuleForm): boolean {
  const named = [...SUBJECT_KEYS, ...PLACE_KEYS, 'port', 'zone', 'interface', 'ancestor', 'profile'] as const;
  return named.some((key) => form[key].trim() !== '');
}

/** Messages to show next to the fields; empty when the form may be saved. `nowMs`: wall time, ms since 1970. */
export function checkForm(form: RuleForm, nowMs: number): FormErrors {
  const errors = new Map<FormField, string>();
  const set: Set = (field, message) => {
    if (message !== '' && !errors.has(field)) errors.set(field, message);
  };
  checkProgram(form, set);
  checkPlace(form, set);
  checkTime(form, nowMs, set);
  checkLabels(form, set);
  if (form.action === 'allow' && !isNarrow(form)) {
    set('form', _('This would allow every program to reach everything. Name a program, an address or a port.'));
  }
  return errors;
}

/** Keys of the contract that are called otherwise here. */
const FIELD_OF_KEY: Readonly<Record<string, FormField>> = { until_ms: 'untilTime', schedule: 'from' };

/** Which field the helper's message speaks of: its messages begin with the key (`port: ...`, `"schedule": ...`). */
export function fieldOfMessage(message: string): { readonly field: FormField; readonly text: string } {
  const key = /^"?(?:\w+\.)?([a-z_0-9]+)\b"?\s*:/.exec(message)?.[1] ?? '';
  const field = Object.hasOwn(FIELD_OF_KEY, key) ? FIELD_OF_KEY[key] : FORM_FIELDS.find((one) => one === key);
  return { field: field ?? 'form', text: visible(message, 300) };
}
