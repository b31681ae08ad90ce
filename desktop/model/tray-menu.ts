/** The tray's menu as data: state, waiting prompts, mode, pause, open, quit. */
import type { Mode } from '../../helper/contract/vocabulary.ts';
import { _ } from '../i18n.ts';
import { stateWords, trayTooltip, waitingLine } from './status-text.ts';
import type { Knowledge } from './status-text.ts';

export type TrayCommand =
  | { readonly do: 'open' }
  | { readonly do: 'prompts' }
  | { readonly do: 'quit' }
  | { readonly do: 'resume' }
  | { readonly do: 'pause'; readonly seconds: number }
  | { readonly do: 'mode'; readonly mode: Mode };

export type MenuEntry =
  | { readonly kind: 'separator' }
  | { readonly kind: 'text'; readonly label: string }
  | { readonly kind: 'command'; readonly label: string; readonly command: TrayCommand; readonly chosen?: boolean }
  | { readonly kind: 'submenu'; readonly label: string; readonly entries: readonly MenuEntry[] };

const PAUSES = [
  { seconds: 300, label: () => _('For 5 minutes') },
  { seconds: 1800, label: () => _('For 30 minutes') },
  { seconds: 3600, label: () => _('For 1 hour') },
] as const;

export function trayMenu(known: Knowledge, nowMs: number): readonly MenuEntry[] {
  const separator: MenuEntry = { kind: 'separator' };
  const head: MenuEntry = { kind: 'text', label: known.waiting > 0 ? stateWords(known, nowMs).title : trayTooltip(known, nowMs) };
  const waiting = waitingLine(known.waiting);
  const prompts: readonly MenuEntry[] = waiting === '' ? [] : [{ kind: 'command', label: waiting, command: { do: 'prompts' } }];
  return [
    head, ...prompts, separator, ...controls(known), 
    { kind: 'command', label: _('Open Bastion Firewall'), command: { do: 'open' } }, separator,
    { kind: 'command', label: _('Quit'), command: { do: 'quit' } },
  ];
}

function controls(known: Knowledge): readonly MenuEntry[] {
  const { status } = known;
  if (!known.connected || status === null || status.state === 'off') return [];
  const mode = (value: Mode, label: string): MenuEntry => (
    { kind: 'command', label, command: { do: 'mode', mode: value }, chosen: status.mode === value }
  );
  const pause: MenuEntry = status.state === 'paused'
    ? { kind: 'command', label: _('Resume'), command: { do: 'resume' } }
    : {
        kind: 'submenu', label: _('Pause'),
        entries: PAUSES.map(({ seconds, label }) => ({ kind: 'command', label: label(), command: { do: 'pause', seconds } })),
      };
  return [
    { kind: 'submenu', label: _('Mode'), entries: [mode('enforcing', _('Enforcing')), mode('learning', _('Learning'))] },
    pause, { kind: 'separator' },
  ];
}
