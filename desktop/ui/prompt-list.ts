/** The programs that wait, in the prompt's window: picked one by one, or denied without being looked at. */
import type { PromptInfo } from '../../helper/contract/types.ts';
import { Gtk } from '../gtk.ts';
import type { Button, ListBox, ListBoxRow } from '../gtk.ts';
import { asker, askerIcon } from '../model/program-name.ts';
import type { FindProgram } from '../model/program-name.ts';
import type { WaitingPrompt } from '../model/prompt-queue.ts';
import { promptBody } from '../model/prompt-text.ts';
import { runInSlices } from '../model/stepwise.ts';
import { setAskerIcon } from './asker-icon.ts';
import { loadUi } from './load-ui.ts';

interface Row {
  readonly info: PromptInfo;
  readonly row: ListBoxRow;
  readonly deny: Button;
}

export interface PromptListActions {
  pick(nonce: string): void;
  deny(prompts: readonly PromptInfo[]): void;
}

/** Rows stay while their prompt waits: what comes and goes does not move the focus. */
export class PromptList {
  readonly #list: ListBox;
  readonly #find: FindProgram;
  readonly #actions: PromptListActions;
  readonly #rows = new Map<string, Row>();
  #waiting: readonly WaitingPrompt[] = [];
  #stop: () => void = () => undefined;
  #awake = false;

  constructor(list: ListBox, find: FindProgram, actions: PromptListActions) {
    this.#list = list;
    this.#find = find;
    this.#actions = actions;
    list.on('row-activated', (activated) => {
      for (const { info, row } of this.#rows.values()) if (row === activated && this.#awake) this.#actions.pick(info.nonce);
    });
  }

  /** What the list shows, or will in a moment; the oldest first. */
  get prompts(): readonly PromptInfo[] {
    return this.#waiting.map(({ info }) => info);
  }

  /** Hundreds of rows come and go a few at a time. */
  fill(waiting: readonly WaitingPrompt[]): void {
    this.#waiting = waiting;
    this.#stop();
    this.#stop = runInSlices(this.#fillInSteps(waiting), () => undefined);
  }

  * #fillInSteps(waiting: readonly WaitingPrompt[]): Generator<void, void> {
    const now = new Set(waiting.map(({ info }) => info.nonce));
    for (const [nonce, { row }] of [...this.#rows]) {
      if (now.has(nonce)) continue;
      this.#list.remove(row);
      this.#rows.delete(nonce);
      yield;
    }
    for (const { info } of waiting) {
      if (this.#rows.has(info.nonce)) continue;
      this.#rows.set(info.nonce, this.#add(info));
      yield;
    }
  }

  clear(): void {
    this.fill([]);
  }

  /** Nothing is picked or denied by a click that was meant for something else. */
  setAwake(awake: boolean): void {
    this.#awake = awake;
    for (const { deny } of this.#rows.values()) deny.setSensitive(awake);
  }

  #add(info: PromptInfo): Row {
    const ui = loadUi('waiting-row');
    const [row, deny] = [ui.get('row', Gtk.ListBoxRow), ui.get('deny', Gtk.Button)];
    setAskerIcon(ui.get('icon', Gtk.Image), askerIcon(info, this.#find), 32);
    ui.get('title', Gtk.Label).setLabel(asker(info, this.#find));
    ui.get('text', Gtk.Label).setLabel(promptBody(info));
    deny.setSensitive(this.#awake);
    deny.on('clicked', () => { this.#actions.deny([info]); });
    this.#list.append(row);
    return { info, row, deny };
  }
}
