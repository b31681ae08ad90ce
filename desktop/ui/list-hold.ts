/** Knows whether a list may move by itself: not under a pointer, not under the keyboard's focus, not while one reads further down. */
import { Gtk } from '../gtk.ts';
import type { ScrolledWindow } from '../gtk.ts';

export class ListHold {
  readonly #scroller: ScrolledWindow;
  readonly #changed: () => void;
  #hasPointer = false;
  #hasFocus = false;

  /** `changed` is called whenever the answer may be another. */
  constructor(scroller: ScrolledWindow, changed: () => void) {
    this.#scroller = scroller;
    this.#changed = changed;
    const pointer = new Gtk.EventControllerMotion();
    const focus = new Gtk.EventControllerFocus();
    pointer.on('enter', () => { this.#set(true, this.#hasFocus); });
    pointer.on('leave', () => { this.#set(false, this.#hasFocus); });
    focus.on('enter', () => { this.#set(this.#hasPointer, true); });
    focus.on('leave', () => { this.#set(this.#hasPointer, false); });
    for (const controller of [pointer, focus]) scroller.addController(controller);
    scroller.getVadjustment().on('value-changed', changed);
  }

  get mayMove(): boolean {
    return !this.#hasPointer && !this.#hasFocus && this.#scroller.getVadjustment().getValue() <= 0;
  }

  toTop(): void {
    this.#scroller.getVadjustment().setValue(0);
  }

  #set(hasPointer: boolean, hasFocus: boolean): void {
    [this.#hasPointer, this.#hasFocus] = [hasPointer, hasFocus];
    this.#changed();
  }
}
