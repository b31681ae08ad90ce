/** The model of a long list: ids as strings, put in place piece by piece, so that the window goes on answering. */
import { Gtk } from '../gtk.ts';
import type { NoSelection } from '../gtk.ts';
import { listChange } from '../model/list-change.ts';

/** The list makes widgets for what is near the view, which costs milliseconds each, and none for what is far below. */
const WIDGET_ROWS = 240;
const SMALL_PIECE_ROWS = 4;
const LARGE_PIECE_ROWS = 4000;
/** Rows of a new list that stand in the place of the old ones at once. */
const FIRST_ROWS = 10;
/** Widgets that are given up in one turn; that costs a third of making them. */
const WIDGETS_AT_ONCE = 24;
/** Letting go of more at once takes longer than a frame. */
const LET_GO_ROWS = 10_000;
/** No row is held back. */
const ALL = 0xff_ff_ff_ff;

export class LongIds {
  readonly #model = Gtk.StringList.new([]);
  /** Hides what is stale, which costs nothing where the list has no widgets for it. */
  readonly #slice = Gtk.SliceListModel.new(this.#model, 0, ALL);
  /** What a list view takes as its model. */
  readonly selection: NoSelection = Gtk.NoSelection.new(this.#slice);
  #size = ALL;
  #ids: readonly string[] = [];
  /** `#ids` from here on wait until their turn; `#after` of them at the end are in place already. */
  #put = 0;
  #after = 0;
  /** Rows behind `#put` that are no more in `#ids` and have yet to go. */
  #stale = 0;
  #timer: NodeJS.Timeout | null = null;

  /** What the list shows, or will in a moment. */
  get ids(): readonly string[] {
    return this.#ids;
  }

  /** Shows these ids. What stays at the beginning and at the end is not touched, and keeps focus and place. */
  show(ids: readonly string[]): void {
    const { position, removals, additions } = this.#change(ids);
    this.#stop();
    this.#ids = ids;
    const after = ids.length - position - additions.length;
    if (this.#stale > 0 || removals > (after > 0 ? LET_GO_ROWS : WIDGETS_AT_ONCE)) {
      this.#replace(position);
      return;
    }
    const first = additions.slice(0, SMALL_PIECE_ROWS);
    if (removals > 0 || first.length > 0) this.#model.splice(position, removals, first);
    this.#put = position + first.length;
    this.#after = after;
    this.#goOn(first.length);
  }

  /** Puts everything in place at once that stands before `id`; -1 where it is not in the list. */
  reach(id: string): number {
    const at = this.#ids.indexOf(id);
    const end = Math.min(at + WIDGET_ROWS, this.#ids.length - this.#after);
    if (at >= this.#put && end > this.#put) {
      this.#model.splice(this.#put, 0, this.#ids.slice(this.#put, end));
      this.#put = end;
      if (this.#stale > 0) this.#setSize(end);
    }
    return at;
  }

  /** The first of the new rows at once in the place of old ones; the others go a few at a time, those near the view last. */
  #replace(before: number): void {
    const first = this.#ids.slice(before, before + FIRST_ROWS);
    this.#model.splice(before, Math.min(first.length, this.#model.getNItems() - before), first);
    this.#put = before + first.length;
    this.#after = 0;
    this.#stale = this.#model.getNItems() - this.#put;
    if (this.#stale > 0) this.#setSize(Math.min(this.#size, this.#put + WIDGET_ROWS));
    this.#goOn(first.length);
  }

  /** Where stale rows have yet to go, what stands at the end is not what the list ends with. */
  #change(ids: readonly string[]): ReturnType<typeof listChange> {
    const change = listChange(this.#there(), ids);
    if (this.#stale === 0) return change;
    const { position } = change;
    return { position, removals: this.#there().length - position, additions: ids.slice(position) };
  }

  #there(): readonly string[] {
    const end = this.#ids.length - this.#after;
    return this.#put === end ? this.#ids : [...this.#ids.slice(0, this.#put), ...this.#ids.slice(end)];
  }

  #goOn(made: number): void {
    const end = this.#ids.length - this.#after;
    if (this.#put >= end && this.#stale === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (this.#stale > 0 && this.#size > this.#put) {
        this.#setSize(Math.max(this.#put, this.#size - WIDGETS_AT_ONCE));
        this.#goOn(made);
        return;
      }
      const piece = this.#ids.slice(this.#put, Math.min(end, this.#put + (made < WIDGET_ROWS ? SMALL_PIECE_ROWS : LARGE_PIECE_ROWS)));
      this.#putPiece(piece);
      this.#goOn(made + piece.length);
    }, 0);
  }

  /** Behind what is shown some stale rows go and new ones come, which then are shown. */
  #putPiece(piece: readonly string[]): void {
    const removals = Math.min(this.#stale, LET_GO_ROWS);
    this.#model.splice(this.#put, removals, piece);
    this.#stale -= removals;
    this.#put += piece.length;
    this.#setSize(this.#stale > 0 ? this.#put : ALL);
  }

  #setSize(size: number): void {
    if (size !== this.#size) this.#slice.setSize(size);
    this.#size = size;
  }

  #stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
