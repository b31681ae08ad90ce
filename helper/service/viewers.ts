/**
 * Connections that were let see the state, and so hear of it: a signal to everybody would tell those who may not, if only that
 * there is news. Whom polkit let because he is at the screen hears nothing while he is not.
 */
import type { Sessions } from '../ports.ts';

const ROOT = 0;

interface Viewer {
  readonly uid: number;
  /** He had an active local session when he was let. */
  readonly byPresence: boolean;
  silent: boolean;
}

export class Viewers {
  readonly #sessions: Pick<Sessions, 'list'>;
  readonly #all = new Map<string, Viewer>();

  constructor(sessions: Pick<Sessions, 'list'>) {
    this.#sessions = sessions;
  }

  get size(): number {
    return this.#all.size;
  }

  /** He was let just now; who is not at the screen gave a password. */
  add(name: string, uid: number): void {
    this.#all.set(name, { uid, byPresence: this.#isPresent(uid), silent: false });
  }

  remove(name: string): void {
    this.#all.delete(name);
  }

  /** Who is to hear of news. */
  names(): readonly string[] {
    return [...this.#all].filter(([, { silent }]) => !silent).map(([name]) => name);
  }

  /** Those who are back, and have missed what was told meanwhile. */
  sessionsChanged(): readonly string[] {
    const back: string[] = [];
    for (const [name, viewer] of this.#all) {
      const wasSilent = viewer.silent;
      viewer.silent = viewer.byPresence && !this.#isPresent(viewer.uid);
      if (wasSilent && !viewer.silent) back.push(name);
    }
    return back;
  }

  #isPresent(uid: number): boolean {
    return uid !== ROOT && this.#sessions.list().some((session) => session.uid === uid && session.active && !session.remote);
  }
}
