/** agent: the prompt in a terminal, one key each. */
import type { HelperClient } from '../../contract/client.ts';
import { BastionError } from '../../contract/errors.ts';
import { NotConnectedError } from '../../contract/client.ts';
import { EXIT } from '../../contract/names.ts';
import { assertNever } from '../../contract/errors.ts';
import type { Answer } from '../../contract/types.ts';
import type { Context } from '../context.ts';
import { RefusedError, UsageError } from '../errors.ts';
import type { ExitCode } from '../errors.ts';
import type { Keyboard } from '../io.ts';
import { cutEnd, printable, wrapped } from '../text/escape.ts';
import { answerSentence } from '../text/words.ts';
import type { Verb } from '../tree.ts';
import { AgentModel, WAKE_MS } from './model.ts';
import type { Effect, Shown } from './model.ts';
import { detailLines, endLine, liveLines, promptLines } from './view.ts';
import type { Canvas } from './view.ts';

const TICK_MS = 1000;

/** Lines that stay, and live ones below them that are drawn anew. */
class Screen {
  readonly #context: Context;
  #liveRows = 0;
  #liveText = '';

  constructor(context: Context) {
    this.#context = context;
  }

  canvas(): Canvas {
    const { io, style, format } = this.#context;
    // One column is left free: a full line makes some terminals wrap.
    return { width: io.columns() - 1, style, format };
  }

  /** Lines for good, above the live ones. */
  print(lines: readonly string[]): void {
    this.erase();
    this.#context.io.out(lines.map((line) => `${line}\n`).join(''));
  }

  live(lines: readonly string[]): void {
    const text = lines.join('\n');
    if (this.#liveRows === lines.length && text === this.#liveText) return;
    this.erase();
    this.#context.io.out(text);
    this.#liveRows = lines.length;
    this.#liveText = text;
  }

  erase(): void {
    if (this.#liveRows > 0) this.#context.io.out(`\r${this.#liveRows > 1 ? `\x1b[${String(this.#liveRows - 1)}A` : ''}\x1b[J`);
    this.#liveRows = 0;
  }
}

class TerminalAgent {
  readonly #context: Context;
  readonly #client: HelperClient;
  readonly #model = new AgentModel();
  readonly #screen: Screen;
  readonly #quit: () => void;
  #keyboard: Keyboard | null = null;
  #overflowTold = 0;

  constructor(context: Context, client: HelperClient, quit: () => void) {
    this.#context = context;
    this.#client = client;
    this.#screen = new Screen(context);
    this.#quit = quit;
  }

  /** Listens and draws until the returned function is called, which restores the terminal. */
  start(): () => void {
    const { io } = this.#context;
    const offs = [
      this.#client.on('promptRaised', (prompt) => this.#apply(this.#model.raised(prompt, io.now()))),
      this.#client.on('promptWithdrawn', (nonce, why) => this.#apply(this.#model.withdrawn(nonce, why, io.now()))),
    ];
    const ticking = setInterval(() => this.#draw(), TICK_MS);
    return () => {
      clearInterval(ticking);
      for (const off of offs) off();
      this.#screen.erase();
      this.#keyboard?.close();
    };
  }

  /** From now on keys are read; before, the terminal may have belonged to a password dialog. */
  takeKeyboard(greeting: readonly string[]): () => void {
    const { io } = this.#context;
    this.#screen.print(greeting.map((line) => cutEnd(printable(line), this.#screen.canvas().width)));
    this.#keyboard = io.keyboard((key) => this.#apply(this.#model.key(key, io.now())));
    this.#draw();
    return this.#client.on('connected', (connected) => {
      if (!connected) this.#model.disconnected();
      this.#print(connected ? 'The helper is back; prompts come here again.'
        : 'The helper went away; waiting for it. What is decided stays so, everything else is refused meanwhile.');
    });
  }

  #print(text: string): void {
    this.#screen.print([cutEnd(printable(text), this.#screen.canvas().width)]);
    this.#draw();
  }

  #draw(): void {
    this.#screen.live(liveLines(this.#model, this.#context.io.now(), this.#screen.canvas()));
  }

  #apply(effects: readonly Effect[]): void {
    for (const effect of effects) this.#perform(effect);
    if (this.#model.overflow > this.#overflowTold) {
      this.#overflowTold = this.#model.overflow;
      this.#print('More programs wait than fit here; see: bastionctl prompts list');
    }
    this.#draw();
  }

  #perform(effect: Effect): void {
    const canvas = this.#screen.canvas();
    switch (effect.kind) {
      case 'present':
        this.#screen.print(promptLines(effect.shown.prompt, canvas));
        setTimeout(() => this.#draw(), WAKE_MS).unref();
        return;
      case 'details':
        this.#screen.print(detailLines(effect.prompt, canvas));
        return;
      case 'ended':
        this.#screen.print([endLine(effect.prompt, effect.why, canvas)]);
        return;
      case 'answer':
        void this.#answer(effect.shown, effect.answer);
        return;
      case 'hold':
        // It may have ended meanwhile; then its end is told anyway.
        this.#client.holdPrompt(effect.nonce).catch(() => undefined);
        return;
      case 'quit':
        this.#quit();
        return;
      case 'stop':
        this.#stop();
        return;
      default: return assertNever(effect);
    }
  }

  #stop(): void {
    this.#screen.erase();
    this.#keyboard?.suspend();
    this.#context.io.stopProcess(() => {
      this.#keyboard?.resume();
      this.#draw();
    });
  }

  async #answer(shown: Shown, answer: Answer): Promise<void> {
    const { prompt, lifetime, scope } = shown;
    const { io } = this.#context;
    // A password may be asked for on this terminal meanwhile.
    this.#screen.erase();
    if (!lifetime.free) this.#keyboard?.suspend();
    try {
      await this.#client.answer(prompt.nonce, answer);
      const sentence = printable(answerSentence(prompt, answer.action, scope, lifetime.value, answer.include_children));
      this.#screen.print(wrapped(sentence, this.#screen.canvas().width));
      this.#apply(this.#model.answered(prompt.nonce, io.now()));
    } catch (error: unknown) {
      const gone = (error instanceof BastionError && error.code === 'PromptGone') || error instanceof NotConnectedError;
      this.#print(error instanceof Error ? error.message : String(error));
      this.#apply(gone ? this.#model.answered(prompt.nonce, io.now()) : this.#model.answerFailed(prompt.nonce, io.now()));
      setTimeout(() => this.#draw(), WAKE_MS).unref();
    } finally {
      this.#keyboard?.resume();
    }
  }
}

async function run(context: Context): Promise<ExitCode> {
  const { io } = context;
  if (context.options.json) throw new UsageError('agent is for people; scripts use: bastionctl prompts list --json');
  if (!io.stdinIsTerminal || !io.stdoutIsTerminal) {
    throw new RefusedError('agent needs a terminal to ask on.', 'bastionctl prompts list --json, then bastionctl prompts answer ID allow|deny');
  }
  const client = await context.privilegedClient();
  let quit: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => (quit = resolve));
  const agent = new TerminalAgent(context, client, quit);
  const stop = agent.start();
  const stopped = io.untilStopped();
  let forget = (): void => undefined;
  try {
    const { session, verified } = await client.registerAgent();
    // Without a login session the helper names the user instead, and that is who reads this.
    const where = session === '' || session.startsWith('uid:') ? '' : ` of session ${session}`;
    const limit = verified ? [] : ['Answers that outlast the program cost a password.'];
    forget = agent.takeKeyboard([`Prompts${where} are asked here.`, ...limit]);
    const why = await Promise.race([ended, stopped, context.untilBridgeEnds().then(() => 'lost' as const)]);
    if (why === 'lost') throw new NotConnectedError('the connection over ssh ended');
    // The helper forgets an agent that left; this only spares it the wait.
    await client.unregisterAgent().catch(() => undefined);
    return EXIT.done;
  } finally {
    forget();
    stop();
  }
}

export const agentVerb: Verb = {
  name: 'agent',
  about: 'Answer prompts in this terminal, one key each',
  text: 'Keys: a allow, d or Enter deny, l for how long, s how wide, c also what it starts, i details, n or Escape not now, b back to what was put '
    + 'aside, q quit. A key that decides works 400 ms after a prompt has appeared.',
  examples: ['agent', '--host admin@server.example agent'],
  run,
};
