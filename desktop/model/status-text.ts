/** State and mode in words, for the window, the tray and the banner. */
import type { HelperStatus } from '../../helper/contract/client.ts';
import type { SafeguardInfo } from '../../helper/contract/types.ts';
import type { State } from '../../helper/contract/vocabulary.ts';
import { assertNever } from '../../helper/contract/errors.ts';
import { _, fill, ngettext } from '../i18n.ts';
import { clockText, minutesLeft, shortDuration } from './durations.ts';
import { visible } from './plain-text.ts';

/** What the shield shows; each has an icon of its own shape. */
export type Shield = 'protecting' | 'learning' | 'prompt' | 'degraded' | 'paused' | 'safeguard' | 'off';

/** The button that mends a state; `none` where nothing can be pressed. */
export type Remedy = 'none' | 'resume' | 'enforce' | 'end-safeguard' | 'keep-trial' | 'end-trial';

/** What the desktop knows of the helper at one time. */
export interface Knowledge {
  readonly connected: boolean;
  /** Since when `connected` is what it is; wall time, ms since 1970. */
  readonly sinceMs: number;
  /** The last one heard, kept while disconnected; null before the first. */
  readonly status: HelperStatus | null;
  /** Programs whose prompts wait. */
  readonly waiting: number;
  /** What the safeguard refuses; absent while it is not on or not yet known. */
  readonly safeguard?: SafeguardInfo;
  /** Why this session's prompts do not all come here; null while they do. */
  readonly agentProblem: AgentProblem | null;
}

/** `elsewhere`: another agent of this session answers. `unverified`: answers are limited. `refused`: it may not ask. `failed`: it could not register. */
export type AgentProblem = 'elsewhere' | 'unverified' | 'refused' | 'failed';

export interface StateWords {
  readonly shield: Shield;
  readonly title: string;
  readonly text: string;
  /** What the state comes from, where that is known; a sentence. */
  readonly cause?: string;
  readonly remedy: Remedy;
  /** Where a person may choose between two: what is done instead of `remedy`. */
  readonly other?: Remedy;
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
  const words = trialWords(connectedWords(status.state, status, nowMs), status, nowMs);
  const cause = status.state === 'safeguard' ? safeguardCause(known.safeguard) : '';
  return cause === '' ? words : { ...words, cause };
}

/** Which program, or that many together, made too many connections; '' while that is not known. */
export function safeguardCause(safeguard: SafeguardInfo | undefined): string {
  if (safeguard?.scope === undefined) return '';
  const [first] = safeguard.offenders;
  if (safeguard.scope !== 'application') return _('Many programs together made too many new connections.');
  if (first === undefined) return _('A program of another user made too many new connections.');
  return first.path === '' ? _('An unknown program made too many new connections.')
    : fill(_('{program} made too many new connections.'), { program: visible(first.path, 200) });
}

/** Does a banner say it on every page? */
export function needsBanner({ shield, other }: StateWords): boolean {
  return shield !== 'protecting' || other !== undefined;
}

/** While a mode is on trial, that goes before what the mode does; what stops the firewall goes before the trial. */
function trialWords(words: StateWords, { trial, mode, state }: HelperStatus, nowMs: number): StateWords {
  if (trial === undefined || state === 'off' || state === 'paused' || state === 'safeguard') return words;
  const time = shortDuration(trial.endsMs - nowMs);
  const back = trial.before === 'off' ? _('Unless you keep it, the firewall is switched off again in {time}.')
    : trial.before === 'learning' ? _('Unless you keep it, the firewall goes back to learning in {time}.')
      : _('Unless you keep it, the firewall goes back to enforcing in {time}.');
  return {
    ...words, title: mode === 'learning' ? _('Learning, on trial') : _('Enforcing, on trial'), text: fill(back, { time }),
    remedy: 'keep-trial', other: 'end-trial',
  };
}

function disconnectedWords(known: Knowledge, nowMs: number): StateWords {
  const since = fill(_('Since {time}.'), { time: clockText(known.sinceMs, nowMs) });
  return { shield: 'off', title: _('Not connected'), text: `${since} ${absenceText(known.status)}`, remedy: 'none' };
}

/** What still protects while the helper is away. Source: the modes' behaviour without the helper. */
function absenceText(status: HelperStatus | null): string {
  if (status === null) return _('The firewall service is not running or cannot be reached.');
  if (status.state === 'off') return _('The firewall was switched off before, so nothing protects this computer.');
  if (status.state === 'paused') return _('Filtering was paused before; denied programs stay denied.');
  if (status.mode === 'learning') return _('In learning mode the network stays open; denied programs stay denied.');
  return _('Earlier decisions still hold: allowed programs go on. New connections are refused until the service is back, unless it was set to open on failure.');
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
        shield: 'safeguard', title: _('Safeguard Mode'), remedy: 'end-safeguard',
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
        text: _('Questions appear there, for example in a terminal that runs “bastionctl agent”. End it, and they appear here.'),
      };
    case 'unverified':
      return {
        title: _('Answers are limited'),
        text: _('The firewall service cannot verify this program, for example because it is a Flatpak: its answers hold once or while the program runs. Install the package bastion-firewall-desktop to make lasting rules.'),
      };
    case 'refused':
      return {
        title: _('Questions do not appear here'),
        text: _('Only the active session at this computer is asked. Elsewhere “bastionctl agent” asks after you give a password.'),
      };
    case 'failed':
      return {
        title: _('Questions do not appear here'),
        text: _('The firewall service could not accept this program as the one that asks. It tries again every few seconds.'),
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

/** `Protecting`, or `Paused, 5 min left`. */
export function trayState(known: Knowledge, nowMs: number): string {
  const words = stateWords(known, nowMs);
  const left = known.connected && known.status?.state === 'paused' ? known.status.pausedUntilMs - nowMs : 0;
  return left > 0 ? fill(_('{state}, {time} left'), { state: words.title, time: shortDuration(left) }) : words.title;
}

/** One line for the tooltip, and for screen readers. */
export function trayTooltip(known: Knowledge, nowMs: number): string {
  const elsewhere = known.connected && known.agentProblem !== null && known.agentProblem !== 'unverified'
    ? agentWords(known.agentProblem).title
    : '';
  return [trayState(known, nowMs), waitingLine(known.waiting), elsewhere].filter((part) => part !== '').join('  ·  ');
}

/** `2 questions waiting`, '' for none. */
export function waitingLine(waiting: number): string {
  if (waiting === 0) return '';
  return fill(ngettext('{number} question waiting', '{number} questions waiting', waiting), { number: String(waiting) });
}

/** `50-user.toml, line 3, column 7`. */
export function placeText(error: { readonly file: string; readonly line: number; readonly column: number }): string {
  const file = visible(error.file, 200);
  if (error.line === 0) return file;
  return fill(_('{file}, line {line}, column {column}'), { file, line: String(error.line), column: String(error.column) });
}
