/** What the tray shows and does, out of the session with the helper. */
import type { HelperSession } from '../client/session.ts';
import { assertNever } from '../../helper/contract/errors.ts';
import type { ProfileInfo } from '../../helper/contract/types.ts';
import type { FindProgram } from '../model/program-name.ts';
import type { TrayCommand, TrayView } from '../model/tray-menu.ts';

/** What the tray's commands open; `token` lets a window come to the front, '' for none. */
export interface TrayActions {
  openWindow(token: string): void;
  /** The window with the prompt that waits longest, or with this one. */
  openPrompts(token: string, nonce?: string): void;
  /** This flow alone. */
  answerOnce(nonce: string, action: 'allow' | 'deny'): void;
  /** The person wants no shield in the tray. */
  hidden(): boolean;
  quit(): void;
  /** A command was refused. */
  failed(error: unknown): void;
}

export class TrayFeed {
  readonly #session: HelperSession;
  readonly #find: FindProgram;
  readonly #actions: TrayActions;
  #profiles: readonly ProfileInfo[] = [];
  #profile: string | null = null;

  /** Reads the profiles with every connection, and when another one is in force. */
  constructor(session: HelperSession, find: FindProgram, actions: TrayActions) {
    this.#session = session;
    this.#find = find;
    this.#actions = actions;
    session.changed.on(() => { this.#onChanged(); });
  }

  readonly view = (): TrayView => {
    const { knowledge, queue, clocks } = this.#session;
    return {
      known: knowledge, nowMs: clocks.wallMs(), prompts: queue.pending().map(({ info }) => info), find: this.#find,
      profiles: this.#profiles, hidden: this.#actions.hidden(),
    };
  };

  readonly run = (command: TrayCommand, token: string): void => {
    const { client } = this.#session;
    switch (command.do) {
      case 'open': this.#actions.openWindow(token); return;
      case 'prompts': this.#actions.openPrompts(token); return;
      case 'details': this.#openPrompt(command.nonce, token); return;
      case 'answer': this.#answer(command.nonce, command.action); return;
      case 'quit': this.#actions.quit(); return;
      case 'resume': this.#told(client.resume()); return;
      case 'pause': this.#told(client.pause(command.seconds)); return;
      case 'mode': this.#told(client.setMode(command.mode)); return;
      case 'profile': this.#told(client.setProfile(command.id)); return;
      case 'end-safeguard': this.#told(client.endSafeguard()); return;
      default: assertNever(command);
    }
  };

  /** A menu may be older than the prompt's end: then nothing is opened or answered. */
  #openPrompt(nonce: string, token: string): void {
    if (this.#session.queue.get(nonce) !== null) this.#actions.openPrompts(token, nonce);
  }

  #answer(nonce: string, action: 'allow' | 'deny'): void {
    if (this.#session.queue.get(nonce)?.expired === false) this.#actions.answerOnce(nonce, action);
  }

  #told(call: Promise<void>): void {
    call.catch((error: unknown) => { this.#actions.failed(error); });
  }

  #onChanged(): void {
    const { connected, status } = this.#session.knowledge;
    const profile = connected ? status?.profile ?? null : null;
    if (profile === this.#profile) return;
    this.#profile = profile;
    if (profile === null) {
      this.#profiles = [];
      return;
    }
    this.#session.client.profiles().then(
      (profiles) => {
        this.#profiles = profiles;
        this.#session.changed.emit();
      },
      // Without profiles the menu offers none.
      () => { this.#profiles = []; },
    );
  }
}
