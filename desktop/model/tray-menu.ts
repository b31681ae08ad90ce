/** The tray's menu as data: state, waiting prompts, mode, profile, pause, open, quit. */
import type { PromptInfo, ProfileInfo } from '../../helper/contract/types.ts';
import type { Mode } from '../../helper/contract/vocabulary.ts';
import { _, fill, ngettext } from '../i18n.ts';
import { visible } from './plain-text.ts';
import { hostTitle } from './prompt-text.ts';
import { asker } from './program-name.ts';
import type { FindProgram } from './program-name.ts';
import { stateWords, trayState, waitingLine } from './status-text.ts';
import type { Knowledge } from './status-text.ts';

export type TrayCommand =
  | { readonly do: 'open' }
  /** The window with the prompts. */
  | { readonly do: 'prompts' }
  | { readonly do: 'quit' }
  | { readonly do: 'resume' }
  | { readonly do: 'pause'; readonly seconds: number }
  | { readonly do: 'mode'; readonly mode: Mode }
  /** '' goes by the network again. */
  | { readonly do: 'profile'; readonly id: string }
  | { readonly do: 'end-safeguard' }
  /** This flow alone. */
  | { readonly do: 'answer'; readonly nonce: string; readonly action: 'allow' | 'deny' }
  | { readonly do: 'details'; readonly nonce: string };

export type MenuEntry =
  | { readonly kind: 'separator' }
  | { readonly kind: 'text'; readonly label: string }
  | { readonly kind: 'command'; readonly label: string; readonly command: TrayCommand; readonly chosen?: boolean }
  | { readonly kind: 'submenu'; readonly label: string; readonly entries: readonly MenuEntry[] };

/** Everything that the menu speaks of. */
export interface TrayView {
  readonly known: Knowledge;
  /** Wall time, ms since 1970. */
  readonly nowMs: number;
  /** Those that hold a flow, the oldest first. */
  readonly prompts: readonly PromptInfo[];
  readonly find: FindProgram;
  /** Of bastion.toml; empty until they are known. */
  readonly profiles: readonly ProfileInfo[];
  /** The person wants no shield in the tray. */
  readonly hidden?: boolean;
}

/** Prompts with rows of their own; the row above them counts all. */
export const MENU_PROMPTS = 5;
/** More would be a list, which the application's window has. */
export const MENU_PROFILES = 10;
const NAME_CHARACTERS = 32;
const HOST_CHARACTERS = 40;
const PAUSES = [
  { seconds: 300, label: () => _('For 5 Minutes') },
  { seconds: 1800, label: () => _('For 30 Minutes') },
  { seconds: 3600, label: () => _('For 1 Hour') },
] as const;
const SEPARATOR: MenuEntry = { kind: 'separator' };

export function trayMenu(view: TrayView): readonly MenuEntry[] {
  const { known } = view;
  return [
    { kind: 'text', label: trayState(known, view.nowMs) }, ...prompts(view), SEPARATOR, ...controls(view),
    command(_('Open Bastion Firewall'), { do: 'open' }), SEPARATOR, command(_('Quit'), { do: 'quit' }),
  ];
}

/** `curl to example.org`. Of a long name the end stays, because that says whose it is. */
export function promptLabel(prompt: PromptInfo, find: FindProgram): string {
  const program = asker(prompt, find);
  const host = hostTitle(prompt);
  return fill(_('{program} to {host}'), {
    program: program.length > NAME_CHARACTERS ? `${program.slice(0, NAME_CHARACTERS - 1)}…` : program,
    host: host.length > HOST_CHARACTERS ? `…${host.slice(1 - HOST_CHARACTERS)}` : host,
  });
}

function command(label: string, what: TrayCommand, chosen?: boolean): MenuEntry {
  return { kind: 'command', label, command: what, ...(chosen === undefined ? {} : { chosen }) };
}

function prompts({ known, prompts: waiting, find }: TrayView): readonly MenuEntry[] {
  if (!known.connected || waiting.length === 0) return [];
  return [
    command(waitingLine(waiting.length), { do: 'prompts' }),
    ...waiting.slice(0, MENU_PROMPTS).map((prompt): MenuEntry => ({
      kind: 'submenu', label: promptLabel(prompt, find),
      entries: [...answers(prompt), command(_('Details'), { do: 'details', nonce: prompt.nonce })],
    })),
  ];
}

function answers({ nonce, lifetimes }: PromptInfo): readonly MenuEntry[] {
  if (!lifetimes.includes('once')) return [];
  return [
    command(_('Allow Once'), { do: 'answer', nonce, action: 'allow' }), command(_('Deny Once'), { do: 'answer', nonce, action: 'deny' }),
  ];
}

function controls({ known, profiles, nowMs }: TrayView): readonly MenuEntry[] {
  const { status } = known;
  if (!known.connected || status === null || status.state === 'off') return [];
  const mode = (value: Mode, label: string): MenuEntry => command(label, { do: 'mode', mode: value }, status.mode === value);
  const minutes = Math.max(1, Math.ceil((status.pausedUntilMs - nowMs) / 60_000));
  const pause: MenuEntry = status.state === 'paused'
    ? command(fill(ngettext('Resume ({number} minute left)', 'Resume ({number} minutes left)', minutes), { number: String(minutes) }), { do: 'resume' })
    : {
        kind: 'submenu', label: _('Pause'),
        entries: PAUSES.map(({ seconds, label }) => command(label(), { do: 'pause', seconds })),
      };
  return [
    ...(status.state === 'safeguard'
      ? [command(fill(_('{state}: end it'), { state: stateWords(known, nowMs).title }), { do: 'end-safeguard' }), SEPARATOR]
      : []),
    { kind: 'submenu', label: _('Mode'), entries: [mode('enforcing', _('Enforcing')), mode('learning', _('Learning'))] },
    ...profileMenu(profiles), pause, SEPARATOR,
  ];
}

/** Nothing where there is nothing to choose. */
function profileMenu(profiles: readonly ProfileInfo[]): readonly MenuEntry[] {
  if (profiles.length < 2) return [];
  const byHand = profiles.some((profile) => profile.chosen);
  const shown = profiles.slice(0, MENU_PROFILES);
  return [{
    kind: 'submenu', label: _('Profile'),
    entries: [
      command(_('By network'), { do: 'profile', id: '' }, !byHand),
      ...shown.map(({ id, name, chosen }) => command(visible(name === '' ? id : name, NAME_CHARACTERS), { do: 'profile', id }, chosen)),
    ],
  }];
}
