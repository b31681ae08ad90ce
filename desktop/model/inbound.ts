/** Connections from outside in words: what a zone does with them, what it lets in, and who else may judge them. */
import { assertNever } from '../../helper/contract/errors.ts';
import type { InboundAllow, NetworkState, NetworkZone } from '../../helper/contract/types.ts';
import { _, fill, ngettext } from '../i18n.ts';
import { countText } from './durations.ts';
import { listText } from './format.ts';
import { SSH, inboundServiceName } from './inbound-service.ts';
import { visible } from './plain-text.ts';
import { programName } from './program-name.ts';
import type { FindProgram } from './program-name.ts';
import { serviceName } from './service-name.ts';

export type InboundPolicy = NonNullable<NetworkZone['inbound']>;
export type InboundKeeper = NonNullable<NetworkState['inbound_by']>;

/** In the order in which they are offered. */
export const INBOUND_CHOICES = ['off', 'allow', 'deny'] as const satisfies readonly InboundPolicy[];

/** What a zone does with new connections, as it is saved. */
export interface Inbound {
  readonly policy: InboundPolicy;
  readonly allow: readonly InboundAllow[];
}

const SSH_PORT = 22;

export function inboundOf({ inbound = 'off', inbound_allow: allow = [] }: NetworkZone): Inbound {
  return { policy: inbound, allow };
}

export function policyTitle(policy: InboundPolicy): string {
  switch (policy) {
    case 'off': return _('Off');
    case 'allow': return _('Allow new connections');
    case 'deny': return _('Block new connections');
    default: return assertNever(policy);
  }
}

export function policyText(policy: InboundPolicy): string {
  switch (policy) {
    case 'off': return _('Bastion Firewall does not look at connections from outside.');
    case 'allow': return _('Whoever is in this network may connect to programs on this computer.');
    case 'deny': return _('Only what is let in below may connect. Replies to this computer, ping and what the network itself needs always come in.');
    default: return assertNever(policy);
  }
}

function keepsInbound(keeper: InboundKeeper | undefined): keeper is 'ufw' | 'firewalld' {
  return keeper === 'ufw' || keeper === 'firewalld';
}

/** One line for the row of a zone; '' where nothing is looked at. */
export function inboundLine({ policy, allow }: Inbound, keeper?: InboundKeeper): string {
  if (policy === 'off') return '';
  if (keepsInbound(keeper)) return fill(_('{name} judges connections from outside.'), { name: keeper });
  if (policy === 'allow') return _('New connections from outside are allowed.');
  if (allow.length === 0) return _('New connections from outside are blocked.');
  return fill(
    ngettext('New connections from outside are blocked, with {number} exception.', 'New connections from outside are blocked, with {number} exceptions.', allow.length),
    { number: countText(allow.length) },
  );
}

/** `80,443` as its parts, without blanks. */
export function portParts(ports: string): readonly string[] {
  return ports.split(',').map((part) => part.replaceAll(/\s+/gu, '')).filter((part) => part !== '');
}

function whatWords({ service = '', port = '' }: InboundAllow): string {
  if (service !== '') return inboundServiceName(service);
  const parts = portParts(port).map((part) => visible(part, 16));
  if (parts.length === 0) return _('Any port');
  const many = parts.length > 1 || parts[0]?.includes('-') === true ? 2 : 1;
  return fill(ngettext('Port {ports}', 'Ports {ports}', many), { ports: listText(parts) });
}

/** `Ports 80 and 443 for nginx, from 192.168.0.0/16`. */
export function allowTitle(allow: InboundAllow, find: FindProgram): string {
  const what = whatWords(allow);
  const path = allow.application ?? '';
  const source = visible(allow.from ?? '', 64);
  const program = path === '' ? '' : programName(path, find);
  if (program !== '' && source !== '') return fill(_('{what} for {program}, from {source}'), { what, program, source });
  if (program !== '') return fill(_('{what} for {program}'), { what, program });
  return source === '' ? what : fill(_('{what}, from {source}'), { what, source });
}

/** What the title leaves out: the protocol, what the port is for, the whole path. */
export function allowDetail({ service = '', port = '', protocol = '', application = '' }: InboundAllow): string {
  const parts = portParts(port);
  const single = parts.length === 1 && /^\d{1,5}$/u.test(parts[0] ?? '') ? Number(parts[0]) : null;
  const purpose = single === null ? '' : serviceName(protocol === 'udp' ? 'udp' : 'tcp', single);
  const way = protocol === '' ? _('TCP and UDP') : visible(protocol.toUpperCase(), 16);
  return [
    ...(purpose === '' ? [] : [purpose]), ...(service !== '' || (purpose !== '' && protocol !== '') ? [] : [way]),
    ...(application === '' ? [] : [visible(application, 256)]),
  ].join('  ·  ');
}

/** Can somebody still log in from afar? Only from anywhere counts, and for any program or the one that does it. */
export function letsShellIn({ policy, allow }: Inbound): boolean {
  if (policy !== 'deny') return true;
  return allow.some(({ service = '', port = '', protocol = '', application = '', from = '' }) => {
    if (from !== '' || protocol === 'udp' || (application !== '' && !application.endsWith('/sshd'))) return false;
    if (service !== '') return service === SSH;
    return port === '' || portParts(port).some((part) => {
      const [first = '', last = first] = part.split('-');
      return Number(first) <= SSH_PORT && SSH_PORT <= Number(last);
    });
  });
}

/** Another firewall that is in charge, and how it is taken out; null where none is. */
export interface OtherFirewall {
  readonly title: string;
  readonly text: string;
  readonly command: string;
}

export function otherFirewall(keeper: InboundKeeper | undefined): OtherFirewall | null {
  if (!keepsInbound(keeper)) return null;
  return {
    title: fill(_('{name} judges connections from outside'), { name: keeper }),
    text: fill(_('What is set here has no effect while {name} is active, so it cannot be changed. To let Bastion Firewall judge them instead, switch {name} off:'), { name: keeper }),
    command: keeper === 'ufw' ? 'sudo ufw disable' : 'sudo systemctl disable --now firewalld',
  };
}

export interface BlockWarning {
  readonly title: string;
  readonly lines: readonly string[];
  /** Secure shell was let in before and would not be any more. */
  readonly lacksShell: boolean;
}

/** What a person should know before this is saved; null for nothing. `remote`: this session came over the network. */
export function blockWarning(zone: string, before: Inbound, after: Inbound, remote: boolean): BlockWarning | null {
  const begins = after.policy === 'deny' && before.policy !== 'deny';
  const shutsOut = !letsShellIn(after) && letsShellIn(before);
  if (!shutsOut && !(begins && remote)) return null;
  const lines = [
    ...(remote ? [_('You are using this computer over the network. If your own connection comes from this zone, you may not be able to come back.')] : []),
    ...(shutsOut ? [_('Secure shell (ssh) is not let in: nobody can log in over the network from this zone.')] : []),
    _('Programs on this computer that wait for connections, such as file sharing or remote desktop, cannot be reached unless they are let in.'),
  ];
  return { title: fill(_('Block New Connections From {zone}?'), { zone: visible(zone, 64) }), lines, lacksShell: shutsOut };
}

type Environment = Readonly<Record<string, string | undefined>>;
/** Set in sessions that came over the network. Source: ssh(1), ENVIRONMENT; xrdp's and X2Go's start scripts. */
const REMOTE_VARIABLES = ['SSH_CONNECTION', 'SSH_CLIENT', 'XRDP_SESSION', 'X2GO_SESSION'] as const;

/** Does the environment say that the person sits at another computer? A screen with a host in its name is another computer's too. */
export function isRemote(environment: Environment): boolean {
  if (REMOTE_VARIABLES.some((name) => (environment[name] ?? '') !== '')) return true;
  return /^[^:/]+:\d/u.test(environment['DISPLAY'] ?? '');
}
