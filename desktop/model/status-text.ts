/** State and mode in words, for the window, the tray and the banner. */
import type { HelperStatus } from '../../helper/contract/client.ts';
import type { State } from '../../helper/contract/vocabulary.ts';
import { assertNever } from '../../helper/contract/errors.ts';
import { _, fill, ngettext } from '../i18n.ts';
import { clockText, countText, minutesLeft, shortDuration } from './durations.ts';
import { visible } from './plain-text.ts';

/** What the shield shows; each has an icon of its own shape. */
export type Shield = 'protecting' | 'learning' | 'prompt' | 'degraded' | 'paused' | 'safeguard' | 'off';

/** The button that mends a state; `none` where nothing can be pressed. */
export type Remedy = 'none' | 'resume' | 'enforce';

/** What the desktop knows of the helper at one time. */
export interface Knowledge {
  readonly connected: boolean;
  /** Since when `connected` is what it is; wall time, ms since 1970. */
  readonly sinceMs: number;
  /** The last one heard, kept while disconnected; null before the first. */
  readonly status: HelperStatus | null;
  /** Programs whose prompts wait. */
  readonly waiting: number;
  /** Why this session's prompts do not all come here; null while they do. */
  readonly agentProblem: AgentProblem | null;
}

/** `elsewhere`: another agent of this session answers. `unverified`: answers are limited. `refused`: it may not ask. `failed`: it could not register. */
export type AgentProblem = 'elsewhere' | 'unverified' | 'refused' | 'failed';

export interface StateWords {
  readonly shield: Shield;
  readonly title: string;
  readonly text: string;
  readonly remedy: Remedy;
}

/** The icon's name in the theme. */
export function shieldIcon(shield: Shield): string {
  return `bastion-firewall-${shield}-symbolic`;
}

/** Title and sentence for the state page and, where the state is not protecting, for the banner. */
export function stateWords(known: Knowledge, nowMs: number): StateWords {
  if (!known.connected) return disconnectedWords(known, nowMs);
  const { status } = known;
  if (status === null) {
    return { shield: 'off', title: _('Connecting…'), text: _('Asking the firewall service for its state.'), remedy: 'none' };
  }
  return connectedWords(status.state, status, nowMs);
}

function disconnectedWords(known: Knowledge, nowMs: number): StateWords {
  const since = fill(_('Since {time}.'), { time: clockText(known.sinceMs, nowMs) });
  return { shield: 'off', title: _('Not connected'), text: `${since} ${absenceText(known.status)}`, remedy: 'none' };
}

/** What still protects while the helper is away. Source: the modes' behaviour without the helper. */
function absenceText(status: HelperStatus | null): string {
  if (status === null) return _('The firewall service is not running or cannot be reached.');
  if (status.state === 'off') return _('The firewall was switched off before, so nothing protects this computer.');
  if (status.state === 'paused') return _('Connections were paused from filtering before; denied programs stay denied.');
  if (status.mode === 'learning') return _('In learning mode the network stays open; denied programs stay denied.');
  return _('What was decided before still holds: allowed programs go on. New connections are refused until the service is back, unless it was set to open on failure.');
}

function connectedWords(state: State, status: HelperStatus, nowMs: number): StateWords {
  switch (state) {
    case 'off':
      return { shield: 'off', title: _('Switched off'), text: _('No connection is filtered.'), remedy: 'none' };
    case 'paused':
      return {
        shield: 'paused', title: _('Paused'), remedy: 'resume',
        text: fill(_('Everything but denied programs may connect for {time}.'), { time: minutesLeft(status.pausedUntilMs - nowMs) }),
      };
    case 'safeguard':
      return {
        shield: 'safeguard', title: _('Safeguard'), remedy: 'none',
        text: _('Bastion Firewall detected abnormal network activity and has temporarily paused connections to protect your system.'),
      };
    case 'degraded':
      return { shield: 'degraded', title: _('Limited protection'), text: degradedText(status), remedy: 'none' };
    case 'protecting':
      return status.mode === 'learning'
        ? {
            shield: 'learning', title: _('Learning'), remedy: 'enforce',
            text: _('Programs may connect and are recorded. Only denied programs are stopped.'),
          }
        : { shield: 'protecting', title: _('Protecting'), text: _('New programs are held until you decide.'), remedy: 'none' };
    default:
      return assertNever(state);
  }
}

function degradedText(status: HelperStatus): string {
  const first = status.degradedReasons[0];
  if (first === undefined) return _('Some of the protection is missing.');
  const more = status.degradedReasons.length - 1;
  const text = visible(first.text, 300);
  return more === 0 ? text : `${text} ${fill(ngettext('{number} more reason.', '{number} more reasons.', more), { number: String(more) })}`;
}

/** Who is asked instead, or with which limits, and what to do about it. */
export function agentWords(problem: AgentProblem): { readonly title: string; readonly text: string } {
  switch (problem) {
    case 'elsewhere':
      return {
        title: _('Another program answers for this session'),
        text: _('Questions appear there, for example in a terminal that runs “bastionctl agent”. End it, and they come here.'),
      };
    case 'unverified':
      return {
        title: _('Answers are limited'),
        text: _('This program was not installed by the system: its answers hold once or while the program runs. Install the package to make lasting rules.'),
      };
    case 'refused':
      return {
        title: _('Questions do not come here'),
        text: _('Only the active session at this computer is asked. Elsewhere “bastionctl agent” asks after you give a password.'),
      };
    case 'failed':
      return {
        title: _('Questions do not come here'),
        text: _('The firewall service could not take this program as the one that asks. It is tried again every few seconds.'),
      };
    default:
      return assertNever(problem);
  }
}

/** What the tray's shield shows: waiting prompts go before the state. */
export function trayShield(known: Knowledge, nowMs: number): Shield {
  const { shield } = stateWords(known, nowMs);
  return known.connected && known.waiting > 0 && shield !== 'off' ? 'prompt' : shield;
}

/** One line for tooltip and menu head. */
export function trayTooltip(known: Knowledge, nowMs: number): string {
  const words = stateWords(known, nowMs);
  const waiting = waitingLine(known.waiting);
  const left = known.connected && known.status?.state === 'paused' ? known.status.pausedUntilMs - nowMs : 0;
  const head = left > 0 ? fill(_('{state}, {time} left'), { state: words.title, time: shortDuration(left) }) : words.title;
  const elsewhere = known.connected && known.agentProblem !== null && known.agentProblem !== 'unverified'
    ? agentWords(known.agentProblem).title
    : '';
  return [head, waiting, elsewhere].filter((part) => part !== '').join('  ·  ');
}

/** `2 prompts waiting`, '' for none. */
export function waitingLine(waiting: number): string {
  if (waiting === 0) return '';
  return fill(ngettext('{number} prompt waiting', '{number} prompts waiting', waiting), { number: String(waiting) });
}

export interface Figure {
  readonly title: string;
  readonly value: string;
}

/** The counters of the status page, each with a title that explains itself. */
export function figures(status: HelperStatus): readonly Figure[] {
  const { statistics: numbers } = status;
  const count = (title: string, value: number): Figure => ({ title, value: countText(value) });
  return [
    count(_('Connections allowed'), numbers.allowed),
    count(_('Connections refused'), numbers.denied),
    count(_('Questions asked'), numbers.prompts),
    count(_('Questions that ran out of time'), numbers.prompts_expired),
    count(_('Rules in force'), numbers.rules),
    count(_('Decided by the kernel alone'), numbers.kernel_decided),
    count(_('Packets looked at'), numbers.packets),
    count(_('Packets held now'), numbers.held),
    count(_('Packets lost in the queue'), numbers.queue_dropped + numbers.queue_user_dropped),
    count(_('Connections without a known program'), numbers.unidentified),
    { title: _('Service running for'), value: shortDuration(numbers.uptime_ms) },
  ];
}

/** `50-user.toml, line 3, column 7`. */
export function placeText(error: { readonly file: string; readonly line: number; readonly column: number }): string {
  const file = visible(error.file, 200);
  if (error.line === 0) return file;
  return fill(_('{file}, line {line}, column {column}'), { file, line: String(error.line), column: String(error.column) });
}
