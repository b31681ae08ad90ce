/** The command line of the desktop. Pure. */

export interface DesktopOptions {
  readonly background: boolean;
  readonly window: boolean;
  /** The session starts it: it ends at once where the person does not want that. */
  readonly autostart: boolean;
  /** What else to do, as in the menu of the application's icon; '' for nothing. */
  readonly action: DesktopAction | '';
}

/** Actions of the application's icon, which are also those that org.freedesktop.Application.ActivateAction takes. */
export const DESKTOP_ACTIONS = ['rules', 'activity', 'pause'] as const;
export type DesktopAction = (typeof DESKTOP_ACTIONS)[number];

export type ParsedOptions =
  | { readonly kind: 'run'; readonly options: DesktopOptions }
  | { readonly kind: 'print'; readonly text: string }
  | { readonly kind: 'wrong'; readonly text: string };

export const HELP = `Usage: bastion-firewall-desktop [OPTION]

Shows the firewall's questions, its state and its rules.

  --background             start in the tray only; a window comes with the first question
  --action=NAME            rules or activity: open that page; pause: everything but denied programs
                           may connect for 5 minutes
  --autostart              the same as --background, unless the preferences say not to start with the session
  --window                 ask in a window at once, whatever the setting says
  --gapplication-service   the same as --background: how the session's bus starts it
  --version                print the version
  --help                   print this text

A second start opens the window of the one that runs.
`;

/** `args`: what stands after the program's name. */
export function parseOptions(args: readonly string[], version: string): ParsedOptions {
  const action = DESKTOP_ACTIONS.find((name) => args.includes(`--action=${name}`)) ?? '';
  const known = new Set([...DESKTOP_ACTIONS.map((name) => `--action=${name}`), '--autostart', '--background', '--window', '--gapplication-service', '--version', '--help', '-h']);
  const unknown = args.find((arg) => !known.has(arg));
  if (unknown !== undefined) return { kind: 'wrong', text: `bastion-firewall-desktop: unknown option ${JSON.stringify(unknown)}; try --help\n` };
  if (args.includes('--help') || args.includes('-h')) return { kind: 'print', text: HELP };
  if (args.includes('--version')) return { kind: 'print', text: `${version}\n` };
  const autostart = args.includes('--autostart');
  const background = autostart || args.includes('--background') || args.includes('--gapplication-service');
  return { kind: 'run', options: { background, window: args.includes('--window'), autostart, action } };
}
