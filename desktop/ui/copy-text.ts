/** The clipboard. */
import { GLib, Gdk } from '../gtk.ts';

/** Replaces what is on the clipboard by this text. */
export function copyText(text: string): void {
  const bytes = GLib.Bytes.new([...Buffer.from(text)]);
  Gdk.Display.getDefault()?.getClipboard().setContent(Gdk.ContentProvider.newForBytes('text/plain;charset=utf-8', bytes));
}
