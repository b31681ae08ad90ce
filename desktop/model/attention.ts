/** Is the person there to be asked? Pure: what the login manager and the screen savers say comes as arguments. */

/** What the login manager says of the session; null where there is none. */
export interface LoginState {
  readonly locked: boolean;
  /** In front of the screen: another user has not been switched to. */
  readonly active: boolean;
}

/** here: ask. locked: nobody may answer. elsewhere: another user has the screen; his turn does not answer ours. */
export type Attention = 'here' | 'locked' | 'elsewhere';

/** `savers`: by bus name, does its lock cover the screen? Whoever says so is believed. */
export function attentionOf(login: LoginState | null, savers: ReadonlyMap<string, boolean>): Attention {
  if (login?.locked === true || [...savers.values()].includes(true)) return 'locked';
  return login?.active === false ? 'elsewhere' : 'here';
}

/** Counts the questions that ran out while nobody could be asked; each once, and tells of them once. */
export class Missed {
  #count = 0;

  add(): void {
    this.#count += 1;
  }

  /** How many since the last time that this was asked. */
  take(): number {
    const count = this.#count;
    this.#count = 0;
    return count;
  }
}
