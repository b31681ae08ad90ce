/** The command line of the desktop. Pure. */

export interface DesktopOptions {
  readonly background: boolean;
  readonly window: boolean;
}

export type ParsedOptions =
  | { readonly kind: 'run'; readonly options: DesktopOptions }
  | { readonly kind: 'print'; readonly text: string }
  | { readonly kind: 'wrong'; readonly text: string };

export const HELP = `Usage: bastion-firewall-desktop [OPTION]

Shows the firewall's questions, its state and its rules.

  --background   start in the tray only; a window comes with the first question
  --window       ask in a window at once, whatever the setting says
  --version      print the version
  --help         print this text

A second start opens the window of the one that runs.
`;

/** `args`: what stands after the program's name. */
export function parseOptions(args: readonly string[], version: string): ParsedOptions {
  const known = new Set(['--background', '--window', '--version', '--help', '-h']);
  const unknown = args.find((arg) => !known.has(arg));
  if (unknown !== undefined) return { kind: 'wrong', text: `bastion-firewall-desktop: unknown option ${JSON.stringify(unknown)}; try --help\n` };
  if (args.includes('--help') || args.includes('-h')) return { kind: 'print', text: HELP };
  if (args.includes('--version')) return { kind: 'print', text: `${version}\n` };
  return { kind: 'run', options: { background: args.includes('--background'), window: args.includes('--window') } };
}
