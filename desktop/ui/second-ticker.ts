/** Calls once a second while something that counts down is shown. */
export class SecondTicker {
  readonly #run: () => void;
  #timer: NodeJS.Timeout | null = null;

  constructor(run: () => void) {
    this.#run = run;
  }

  set(on: boolean): void {
    if (on === (this.#timer !== null)) return;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = on ? setInterval(() => { this.#run(); }, 1000) : null;
  }
}
