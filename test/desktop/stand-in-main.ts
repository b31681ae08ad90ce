/**
 * The desktop application with a helper that a test plays: commands come as JSON lines on stdin, calls go out as JSON lines on
 * stdout. Bundled by the test, never shipped.
 */
import { createInterface } from 'node:readline';
import { DesktopApplication } from '../../desktop/application.ts';
import { assetPath } from '../../desktop/assets.ts';
import { Adw, Gtk } from '../../desktop/gtk.ts';
import { loadCatalogue } from '../../desktop/i18n.ts';
import { parseOptions } from '../../desktop/options.ts';
import type { HelperStatus } from '../../helper/contract/client.ts';
import type { ErrorCode } from '../../helper/contract/errors.ts';
import type { PromptEnd, PromptInfo, RuleInfo } from '../../helper/contract/types.ts';
import { StandInClient } from './stand-in-client.ts';
import { statusOf } from './samples.ts';

/** What a test may say. */
export type StandInCommand =
  | { readonly do: 'connected'; readonly connected: boolean }
  | { readonly do: 'status'; readonly status: Partial<HelperStatus> }
  | { readonly do: 'rules'; readonly rules: readonly RuleInfo[] }
  | { readonly do: 'raise'; readonly prompt: PromptInfo }
  | { readonly do: 'end'; readonly nonce: string; readonly why: PromptEnd }
  | { readonly do: 'refuse'; readonly call: string; readonly code: ErrorCode; readonly message: string }
  | { readonly do: 'accept'; readonly call: string }
  | { readonly do: 'verified'; readonly verified: boolean }
  | { readonly do: 'stall' }
  | { readonly do: 'dark'; readonly dark: boolean };

const DRAWN_MS = 250;
const WATCH_MS = 10;

/** The most work at one stretch since the last question for it. In processor time, so that a busy machine does not count. */
let longestMs = 0;
function watchStalls(): void {
  const usedMs = (): number => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  };
  let lastMs = usedMs();
  setInterval(() => {
    const now = usedMs();
    longestMs = Math.max(longestMs, now - lastMs);
    lastMs = now;
  }, WATCH_MS);
}

function tell(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function obey(client: StandInClient, command: StandInCommand): void {
  switch (command.do) {
    case 'connected': client.setConnected(command.connected); return;
    case 'status': client.setStatus(command.status); return;
    case 'rules': client.setRules(command.rules); return;
    case 'raise': client.raise(command.prompt); return;
    case 'end': client.end(command.nonce, command.why); return;
    case 'refuse': client.refusals.set(command.call, { code: command.code, message: command.message }); return;
    case 'accept': client.refusals.delete(command.call); return;
    case 'verified': client.verified = command.verified; return;
    case 'stall':
      // After the next look: commands that came together are obeyed before it.
      setTimeout(() => {
        tell({ call: 'stall', args: [Math.round(longestMs)] });
        longestMs = 0;
      }, 3 * WATCH_MS);
      return;
    case 'dark': {
      const { FORCE_DARK, FORCE_LIGHT } = Adw.ColorScheme;
      Adw.StyleManager.getDefault().setColorScheme(command.dark ? FORCE_DARK : FORCE_LIGHT);
      // Told when it has been drawn, which takes a few frames.
      setTimeout(() => { tell({ call: 'dark', args: [command.dark] }); }, DRAWN_MS);
    }
  }
}

/** As the desktop's own setting for large text does it: every text grows, whatever size its style gives it. */
function scaleText(factor: number): void {
  const settings = Gtk.Settings.getDefault();
  if (settings !== null && factor !== 1) settings.gtkXftDpi = Math.round(96 * 1024 * factor);
}

const parsed = parseOptions(process.argv.slice(2), '3.0.0');
if (parsed.kind !== 'run') throw new Error(parsed.text);
loadCatalogue(assetPath('locale'), process.env);
const application = new DesktopApplication(parsed.options, '3.0.0', () => {
  const client = new StandInClient(statusOf(), tell);
  createInterface(process.stdin).on('line', (line) => { obey(client, JSON.parse(line) as StandInCommand); });
  watchStalls();
  scaleText(Number(process.env['TEST_TEXT_SCALE'] ?? '1'));
  tell({ call: 'ready', args: [] });
  return client;
});
process.once('SIGTERM', () => { application.quit(); });
process.exit(application.run());
