/**
 * What the process of the session shows by the windows' process: pages, and the prompt window, of whose state it keeps what
 * it needs to decide. The window's queue is a copy that is kept up to date here.
 */
import type { Answer } from '../../helper/contract/types.ts';
import { assertNever, BastionError } from '../../helper/contract/errors.ts';
import { bounded } from '../channel.ts';
import type { OpenTarget, ToSession, ToWindow } from '../channel.ts';
import { Emitter } from '../client/emitter.ts';
import { InOrder } from '../client/in-order.ts';
import type { HelperSession } from '../client/session.ts';
import { errorText } from '../model/error-text.ts';
import type { WaitingPrompt } from '../model/prompt-queue.ts';
import { KEYS, isSettingKey, isSettingValue } from '../model/settings.ts';
import type { Settings } from '../model/settings.ts';
import type { PromptView, PromptViewActions } from './prompt-view.ts';
import { WindowProcess } from './window-process.ts';
import type { WindowCounters } from './window-process.ts';

/** News of the inbox that come together. */
const INBOX_MS = 100;

export interface WindowLinkDeps {
  readonly session: HelperSession;
  readonly settings: Settings;
  /** Is a prompt likely to come as a window? Then the process is kept, with nothing shown. */
  readonly keepsWarm: () => boolean;
  readonly warn: (line: string) => void;
  /** The window's process has ended by itself; `again`: it may be started at once. */
  readonly crashed: (again: boolean) => void;
  readonly usable: () => void;
  readonly quit: () => void;
}

export class WindowLink implements PromptView {
  readonly #deps: WindowLinkDeps;
  readonly #process: WindowProcess;
  readonly #messages = new InOrder<ToSession>((message) => { this.#onMessage(message); });
  /** What the window's copy of the queue has. */
  readonly #sent = new Map<string, WaitingPrompt>();
  /** A prompt has been drawn. */
  readonly shown = new Emitter();
  #actions: PromptViewActions | null = null;
  #sentProblem: string | null = null;
  #inboxTimer: NodeJS.Timeout | null = null;
  #demands = 0;
  /** What `#demands` was when the window said last that it shows nothing. */
  #idleAt = -1;
  nonce: string | null = null;
  active = false;
  busy = false;

  constructor(deps: WindowLinkDeps) {
    this.#deps = deps;
    this.#process = new WindowProcess({
      started: () => { this.#onStarted(); },
      message: (message) => { this.#messages.take(message); },
      crashed: (again) => { this.#onCrashed(again); },
      usable: deps.usable,
    }, deps.session.clocks.nowMs, deps.warn);
    deps.session.changed.on(() => { this.#sync(); });
    deps.session.promptsChanged.on(() => { this.#tellInbox(); });
    deps.settings.onChanged((key) => {
      this.#process.send({ do: 'setting', key, value: deps.settings.get(key) });
      this.warm();
      this.#leaveIfIdle();
    });
  }

  get counters(): WindowCounters {
    return this.#process.counters;
  }

  /** Whoever decides what the prompt window shows. */
  connect(actions: PromptViewActions): void {
    this.#actions = actions;
  }

  /** Has the process where prompts come as windows. */
  warm(): void {
    if (this.#deps.keepsWarm() && this.#process.ensure()) this.#process.send({ do: 'warm' });
  }

  /** False while no window can be shown. */
  open(target: OpenTarget, token: string): boolean {
    return this.#demand({ do: 'open', ...target, token });
  }

  show(prompt: WaitingPrompt): boolean {
    if (!this.#process.ensure()) return false;
    this.#sync();
    if (this.nonce === prompt.info.nonce) return true;
    this.nonce = prompt.info.nonce;
    this.busy = false;
    return this.#demand({ do: 'show', nonce: prompt.info.nonce });
  }

  present(token: string): void {
    if (this.nonce !== null) this.#demand({ do: 'raise', token });
  }

  showList(): void {
    this.#process.send({ do: 'list' });
  }

  close(): void {
    this.nonce = null;
    this.busy = false;
    this.active = false;
    this.#process.send({ do: 'hide' });
  }

  fail(message: string): void {
    this.busy = false;
    this.#process.send({ do: 'fail', message: bounded(message) });
  }

  tell(message: string): void {
    this.busy = false;
    this.#process.send({ do: 'tell', message: bounded(message) });
  }

  stop(): void {
    if (this.#inboxTimer !== null) clearTimeout(this.#inboxTimer);
    this.#process.stop();
  }

  /** Both sides count what asks for a window. False while none can be shown. */
  #demand(message: Extract<ToWindow, { readonly do: 'open' | 'show' | 'raise' }>): boolean {
    if (!this.#process.ensure()) return false;
    this.#demands += 1;
    this.#process.send(message);
    return true;
  }

  #onStarted(): void {
    this.#sent.clear();
    this.#sentProblem = null;
    this.#demands = 0;
    this.#idleAt = -1;
    this.#sync();
    for (const key of Object.keys(KEYS).filter(isSettingKey)) this.#process.send({ do: 'setting', key, value: this.#deps.settings.get(key) });
  }

  #onCrashed(again: boolean): void {
    this.nonce = null;
    this.active = false;
    this.busy = false;
    this.#deps.crashed(again);
    if (again) this.warm();
  }

  /** Tells the window what has changed since it was told last. */
  #sync(): void {
    if (!this.#process.running) return;
    const { queue, clocks, knowledge } = this.#deps.session;
    for (const prompt of queue.all()) {
      if (this.#sent.get(prompt.info.nonce) === prompt) continue;
      this.#sent.set(prompt.info.nonce, prompt);
      this.#process.send({ do: 'put', prompt: prompt.info, leftMs: prompt.deadlineMs - clocks.nowMs(), expired: prompt.expired });
    }
    for (const nonce of [...this.#sent.keys()]) {
      if (queue.get(nonce) !== null) continue;
      this.#sent.delete(nonce);
      this.#process.send({ do: 'gone', nonce });
    }
    if (knowledge.agentProblem !== this.#sentProblem) {
      this.#sentProblem = knowledge.agentProblem;
      this.#process.send({ do: 'agent', problem: knowledge.agentProblem });
    }
  }

  #onMessage(message: ToSession): void {
    switch (message.say) {
      case 'answer': this.#answer(message.number, message.nonce, message.answer); return;
      case 'hold': case 'list': case 'dismiss': this.#serve(message); return;
      case 'decide':
        if (message.nonce === this.nonce) this.busy = true;
        this.#actions?.answer(message.nonce, message.answer);
        return;
      case 'later': this.#actions?.later(message.nonce); return;
      case 'pick': this.#actions?.pick(message.nonce); return;
      case 'forget': this.#deps.session.forget(message.nonce); return;
      case 'active': this.active = message.active && this.nonce !== null; return;
      case 'shown': this.shown.emit(); return;
      case 'setting': this.#set(message.key, message.value); return;
      case 'idle': this.#onIdle(message.demands); return;
      case 'quit': this.#deps.quit(); return;
      default: assertNever(message);
    }
  }

  /** What was asked for while the window said that it is idle is on its way to it. */
  #onIdle(demands: number): void {
    this.#idleAt = demands;
    this.#leaveIfIdle();
  }

  #leaveIfIdle(): void {
    if (this.#idleAt === this.#demands && this.nonce === null && !this.#deps.keepsWarm()) this.#process.leave();
  }

  #set(key: string, value: string | boolean): void {
    if (isSettingKey(key) && isSettingValue(key, value)) this.#deps.settings.set(key, value);
  }

  #answer(number: number, nonce: string, answer: Answer): void {
    this.#reply(number, this.#deps.session.answer(nonce, answer).then((result) => ({ do: 'answered', number, result })));
  }

  /** What the agent alone may do, or see. */
  #serve(message: Extract<ToSession, { readonly say: 'hold' | 'list' | 'dismiss' }>): void {
    const { session } = this.#deps;
    const { number } = message;
    switch (message.say) {
      case 'hold': this.#reply(number, session.hold(message.nonce).then(() => ({ do: 'held', number }))); return;
      case 'list':
        this.#reply(number, session.listPrompts(message.cursor).then(({ rows, next }) => ({ do: 'listed', number, prompts: rows, next })));
        return;
      case 'dismiss': this.#reply(number, session.dismissPrompts(message.nonces).then((count) => ({ do: 'dismissed', number, count }))); return;
      default: assertNever(message);
    }
  }

  #reply(number: number, reply: Promise<ToWindow>): void {
    reply.then(
      (message) => { this.#process.send(message); },
      (error: unknown) => {
        const code = error instanceof BastionError ? error.code : '';
        this.#process.send({ do: 'refused', number, code, message: bounded(errorText(error)) });
      },
    );
  }

  /** Hundreds may change together: it is told once for all of them. */
  #tellInbox(): void {
    if (this.#inboxTimer !== null || !this.#process.running) return;
    this.#inboxTimer = setTimeout(() => {
      this.#inboxTimer = null;
      this.#process.send({ do: 'inbox' });
    }, INBOX_MS);
  }
}
