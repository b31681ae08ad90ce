/** Everything that a prompt says, as plain text: escaping for markup is the widget's part. */
import type { PromptInfo } from '../../helper/contract/types.ts';
import { assertNever } from '../../helper/contract/errors.ts';
import { KERNEL_PATH } from '../../helper/contract/vocabulary.ts';
import type { NameSource } from '../../helper/contract/vocabulary.ts';
import { _, fill, ngettext } from '../i18n.ts';
import { domainPattern } from './choices.ts';
import type { Chosen, PromptLifetime } from './choices.ts';
import { isLocalAddress, showHost } from './host-name.ts';
import { baseName, visible } from './plain-text.ts';
import { portPhrase, serviceName } from './service-name.ts';

/** Name and icon that the system's own desktop files give a program. */
export interface KnownProgram {
  readonly name: string;
  /** Icon name of the theme, or an absolute path. */
  readonly icon: string;
}
/** null for a program without a desktop file. */
export type FindProgram = (path: string) => KnownProgram | null;

/** A line of the details: a heading and what stands under it. */
export interface Detail {
  readonly title: string;
  readonly text: string;
}

/** 'An unknown program' where no path is known: never a guess from a name that the process chose itself. */
export function programName(path: string, find: FindProgram): string {
  if (path === '') return _('An unknown program');
  if (path === KERNEL_PATH) return _('The kernel (tunnels, network file systems)');
  return find(path)?.name ?? baseName(path);
}

/** Of a forwarded flow no program is known: the helper's words say where it comes from. */
function asker(prompt: PromptInfo, find: FindProgram): string {
  return prompt.forwarded_from === undefined ? programName(prompt.path, find) : visible(prompt.forwarded_from);
}

export function promptTitle(prompt: PromptInfo, find: FindProgram): string {
  return fill(_('{program} wants to connect'), { program: asker(prompt, find) });
}

/** `encrypted web (443) · started by Terminal`. */
export function promptSubtitle(prompt: PromptInfo, find: FindProgram): string {
  const parts = [serviceName(prompt.protocol, prompt.port)];
  const parent = prompt.ancestors.find((ancestor) => ancestor.path !== '' && ancestor.path !== prompt.path);
  if (parent !== undefined) parts.push(fill(_('started by {program}'), { program: programName(parent.path, find) }));
  return parts.join('  ·  ');
}

/** The destination as it is shown large; "perhaps" before a name when nobody knows which program asked for it. */
export function hostTitle(prompt: PromptInfo): string {
  const host = showHost(prompt.destination).name;
  return prompt.name_sources[0] === 'machine' ? fill(_('perhaps {host}'), { host }) : host;
}

/** The body of the notification: `example.org, encrypted web (443)`. */
export function promptBody(prompt: PromptInfo): string {
  const host = showHost(prompt.destination);
  const name = host.other === '' ? hostTitle(prompt) : `${hostTitle(prompt)} (${host.other})`;
  return fill(_('{host}, {service}'), { host: name, service: serviceName(prompt.protocol, prompt.port) });
}

/** A lookup is for the name when it is answered once; what lasts is about the name server, whatever it is asked for. */
function lookupPhrase(prompt: PromptInfo, lifetime: PromptLifetime): string {
  return lifetime === 'once' ? showHost(prompt.destination).name : fill(_('the name server {address}'), { address: prompt.address });
}

function targetPhrase(prompt: PromptInfo, { scope, lifetime }: Chosen): string {
  const port = portPhrase(prompt.protocol, prompt.port);
  switch (scope) {
    case 'host': return prompt.is_lookup ? lookupPhrase(prompt, lifetime) : fill(_('{host} on {port}'), { host: showHost(prompt.destination).name, port });
    case 'domain': return fill(_('{host} on {port}'), { host: domainPattern(prompt.destination), port });
    case 'port': return fill(_('any host on {port}'), { port });
    case 'any': return _('any host on any port');
    default: return assertNever(scope);
  }
}

const MAY: Readonly<Record<PromptLifetime, () => string>> = {
  once: () => _('{program} may reach {target} this once.'),
  process: () => _('{program} may reach {target} while it runs.'),
  until: () => _('{program} may reach {target} for 1 hour.'),
  session: () => _('{program} may reach {target} until you log out.'),
  boot: () => _('{program} may reach {target} until this computer restarts.'),
  always: () => _('{program} may always reach {target}.'),
};
const MAY_NOT: Readonly<Record<PromptLifetime, () => string>> = {
  once: () => _('{program} may not reach {target} this once.'),
  process: () => _('{program} may not reach {target} while it runs.'),
  until: () => _('{program} may not reach {target} for 1 hour.'),
  session: () => _('{program} may not reach {target} until you log out.'),
  boot: () => _('{program} may not reach {target} until this computer restarts.'),
  always: () => _('{program} may never reach {target}.'),
};

/** The rule that an answer makes, in one sentence. */
export function ruleSentence(prompt: PromptInfo, action: 'allow' | 'deny', chosen: Chosen, find: FindProgram): string {
  const sentence = fill((action === 'allow' ? MAY : MAY_NOT)[chosen.lifetime](), {
    program: asker(prompt, find), target: targetPhrase(prompt, chosen),
  });
  if (action === 'deny' || !prompt.is_lookup || chosen.lifetime === 'once' || chosen.scope === 'any') return sentence;
  return `${sentence} ${fill(_('This once it may reach {host} too.'), { host: showHost(prompt.destination).name })}`;
}

const OPEN_FOLDERS = ['/tmp/', '/var/tmp/', '/dev/shm/'];

/** What changes the decision, the gravest first; '' when nothing does. */
export function promptWarning(prompt: PromptInfo): string {
  if (prompt.forwarded_from !== undefined) {
    return _('This computer only passes the connection on; which program makes it cannot be told.');
  }
  if (prompt.confidence === 'unknown' || prompt.path === '') {
    return _('It is not known which program this is. Allow it only if you are expecting a connection.');
  }
  if (prompt.confidence === 'likely') {
    return _('The program could not be identified for certain; another program may be using its connection.');
  }
  if (prompt.path.endsWith(' (deleted)')) return _('The program’s file has been deleted or replaced since it was started.');
  if (OPEN_FOLDERS.some((folder) => prompt.path.startsWith(folder))) {
    return _('The program lies in a folder that everybody can write to.');
  }
  if (showHost(prompt.destination).deceptive) return _('The letters of this name imitate another alphabet.');
  if (prompt.destination === prompt.address && !isLocalAddress(prompt.address)) {
    return _('The program calls this address directly; no name led to it.');
  }
  return '';
}

/** Parents as a tree, the farthest at the top, the program itself at the end. */
function familyTree(prompt: PromptInfo): string {
  const family = [...prompt.ancestors].reverse().map((one) => ({ pid: one.pid, name: one.path === '' ? one.command : one.path }));
  family.push({ pid: prompt.pid, name: prompt.path === '' ? _('unknown') : prompt.path });
  return family
    .map((one, depth) => `${depth === 0 ? '' : `${'   '.repeat(depth - 1)}└ `}${visible(one.name, 200)}  (${String(one.pid)})`)
    .join('\n');
}

function evidenceText(prompt: PromptInfo): string {
  if (prompt.evidence === 'none') return _('not identified');
  if (prompt.confidence === 'certain') return _('recorded by the kernel, certain');
  return prompt.evidence === 'kernel' ? _('recorded by the kernel, its file could not be verified') : _('found by searching the processes');
}

/** `xn--mnchen-3ya.de` beside `münchen.de`, and where the name comes from when the program itself did not ask for it. */
function nameLine(name: string, source: NameSource): string {
  const host = showHost(name);
  const shown = host.other === '' ? host.name : `${host.name} (${host.other})`;
  switch (source) {
    case 'program': return shown;
    case 'hosts': return fill(_('{name}: from the file /etc/hosts'), { name: shown });
    case 'machine': return fill(_('{name}: perhaps, a service of this computer looked it up'), { name: shown });
    default: return assertNever(source);
  }
}

/** What stands behind "Details". */
export function promptDetails(prompt: PromptInfo): readonly Detail[] {
  const names = prompt.names.map((name, at) => nameLine(name, prompt.name_sources[at] ?? 'machine'));
  const details: Detail[] = [
    { title: _('Path'), text: prompt.path === '' ? _('unknown') : visible(prompt.path) },
    { title: _('Identified'), text: evidenceText(prompt) },
    { title: _('User'), text: `${visible(prompt.user, 64)} (${String(prompt.uid)})` },
    { title: _('Process'), text: prompt.pid === 0 ? _('unknown') : `${String(prompt.pid)}  ${visible(prompt.command, 64)}` },
    { title: _('Started by'), text: familyTree(prompt) },
    { title: _('Address'), text: `${visible(prompt.address, 64)}, ${serviceName(prompt.protocol, prompt.port)}` },
  ];
  if (names.length > 0) details.push({ title: _('Names'), text: names.join('\n') });
  if (prompt.count > 1) {
    details.push({
      title: _('Waiting'),
      text: fill(ngettext('{number} connection', '{number} connections', prompt.count), { number: String(prompt.count) }),
    });
  }
  return details;
}

/** Under the buttons when others wait; '' when none does. */
export function waitingText(others: number): string {
  if (others === 0) return '';
  return fill(ngettext('{number} more is waiting', '{number} more are waiting', others), { number: String(others) });
}

/** The summary of the one notification that stands for several prompts. */
export function severalTitle(programs: number): string {
  return fill(ngettext('{number} program is waiting', '{number} programs are waiting', programs), { number: String(programs) });
}

const NAMED_PROGRAMS = 3;

/** The body of that notification: `Firefox, git, ssh and 4 more`. */
export function severalBody(prompts: readonly PromptInfo[], find: FindProgram): string {
  const names = [...new Set(prompts.map((prompt) => asker(prompt, find)))];
  const shown = names.slice(0, NAMED_PROGRAMS).join(', ');
  const more = names.length - NAMED_PROGRAMS;
  if (more <= 0) return shown;
  return fill(ngettext('{names} and {number} more', '{names} and {number} more', more), { names: shown, number: String(more) });
}

/** Said after an answer that came too late for the flow itself. */
export function lateAnswerText(action: 'allow' | 'deny', prompt: PromptInfo, find: FindProgram): string {
  const program = asker(prompt, find);
  return action === 'allow' ? fill(_('Allowed. Try again in {program}.'), { program }) : fill(_('Denied for {program}.'), { program });
}
