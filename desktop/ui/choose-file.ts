/** The system's dialogs for a file, which inside a sandbox are the portal's. */
import { Gtk } from '../gtk.ts';
import type { FileChooserNative, Window } from '../gtk.ts';

/** A native dialog lives only as long as somebody holds it. */
const open = new Set<FileChooserNative>();

export interface FileChoice {
  readonly title: string;
  /** Present: a file is to be written, and this is the name that is proposed. */
  readonly newName?: string;
}

/** `chosen` gets the path; nothing is called where the person chose none. */
export function chooseFile(parent: Window, { title, newName }: FileChoice, chosen: (path: string) => void): void {
  const { OPEN, SAVE } = Gtk.FileChooserAction;
  const chooser = new Gtk.FileChooserNative({ title, action: newName === undefined ? OPEN : SAVE, transientFor: parent, modal: true });
  if (newName !== undefined) chooser.setCurrentName(newName);
  chooser.on('response', (response) => {
    const path = response === Gtk.ResponseType.ACCEPT ? (chooser.getFile()?.getPath() ?? null) : null;
    open.delete(chooser);
    // After its own signal: until it is destroyed its hidden window stays.
    setTimeout(() => { chooser.destroy(); }, 0);
    if (path !== null) chosen(path);
  });
  open.add(chooser);
  chooser.show();
}
