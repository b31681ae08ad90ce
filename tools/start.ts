/** `npm start`: the main job in a lab. A desktop where there is a display, a terminal agent in a terminal, else a tour. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Lab } from '../test/lab/lab.ts';
import { startDesktop } from '../test/lab/desktop.ts';
import { endChild } from '../test/lab/process.ts';
import { insideUserNamespace, missingRights, reenter, userNamespaceWorks } from '../test/lab/user-namespace.ts';
import { tour } from './tour.ts';

const HELP = `Usage: npm start -- [--tour | --desktop | --terminal]

Runs the firewall in a lab of its own and shows its main job: a program without a rule is held, somebody is asked, the answer
is obeyed and remembered. The machine's own network is not touched.

  --tour       a scripted tour that prints each step and its result (what happens without display and terminal)
  --desktop    the application, and a shell inside the lab if this is a terminal
  --terminal   a prompt in this terminal
`;

const AGENT_GRACE_MS = 2000;
const KINDS = ['--tour', '--desktop', '--terminal'] as const;
type Kind = (typeof KINDS)[number];

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function kindFor(argument: string | undefined): Kind | 'help' | null {
  if (argument === '--help' || argument === '-h') return 'help';
  if (argument !== undefined) return KINDS.find((kind) => kind === argument) ?? null;
  const display = process.env['WAYLAND_DISPLAY'] ?? process.env['DISPLAY'] ?? '';
  if (display !== '') return '--desktop';
  return process.stdin.isTTY && process.stdout.isTTY ? '--terminal' : '--tour';
}

/** One curl behind the firewall; tells in words how it went. */
async function visit(lab: Lab): Promise<string> {
  const done = await lab.run(['curl', '--silent', '--show-error', '--max-time', '120', `http://${lab.peer4}/`], { timeoutMs: 130_000 });
  return done.status === 0 ? `curl got its page: ${done.stdout.trim().slice(0, 60)}` : `curl failed: ${done.stderr.trim()}`;
}

/** One curl, and an agent in this terminal for as long as it takes. */
async function visitWithAgent(lab: Lab): Promise<void> {
  const agent = lab.spawn([lab.ctlPath, 'agent'], { stdio: 'inherit' });
  const result = await visit(lab);
  await endChild(agent, AGENT_GRACE_MS);
  say(`\n${result}`);
}

async function inTerminal(lab: Lab): Promise<void> {
  say(`curl now asks for http://${lab.peer4}/. It has no rule, so it is held until you answer.\n`);
  await visitWithAgent(lab);
  say('\nA second curl, which is asked about only if your answer was for the first one alone:\n');
  await visitWithAgent(lab);
  say('');
  await once(lab.spawn([lab.ctlPath, 'rules', 'list'], { stdio: 'inherit' }), 'exit');
  say('More: npm run lab -- bash');
}

async function onDesktop(lab: Lab): Promise<void> {
  const desktop = startDesktop(lab);
  if (desktop === null) throw new Error('the desktop application could not be started; see: npm run build');
  try {
    say(`curl asks for http://${lab.peer4}/: answer in the notification or the window.`);
    say(await visit(lab));
    if (!process.stdin.isTTY) {
      await once(desktop, 'exit');
      return;
    }
    say(`This is a shell inside the lab. The peer is ${lab.peer4} and ${lab.peer6}; try curl, ping or "$BASTION_CTL status". exit ends it.`);
    const shell: ChildProcess = lab.spawn(['sh', '-i'], { stdio: 'inherit' });
    await once(shell, 'exit');
  } finally {
    await endChild(desktop, AGENT_GRACE_MS);
  }
}

async function show(kind: Kind): Promise<boolean> {
  if (kind === '--tour') return tour(say);
  const lab = await Lab.create({ settings: 'prompt_timeout_s = 120' });
  try {
    for (const limit of lab.limits) say(`Note: ${limit}`);
    await (kind === '--desktop' ? onDesktop(lab) : inTerminal(lab));
    return true;
  } finally {
    await lab.dispose();
  }
}

async function main(): Promise<number> {
  const kind = kindFor(process.argv[2]);
  if (kind === null || kind === 'help') {
    (kind === null ? process.stderr : process.stdout).write(HELP);
    return kind === null ? 2 : 0;
  }
  const missing = missingRights();
  if (missing !== null) {
    if (insideUserNamespace() || !userNamespaceWorks()) {
      say(`The lab needs network namespaces (${missing}), and user namespaces are not allowed here either. Run it as root: sudo npm start`);
      return 1;
    }
    say(`Without root (${missing.slice(0, 200)}) the lab runs in a user namespace, as far as that goes.`);
    const child = reenter(fileURLToPath(import.meta.url), [kind]);
    await once(child, 'exit');
    return child.exitCode ?? 1;
  }
  return (await show(kind)) ? 0 : 1;
}

process.exitCode = await main();
