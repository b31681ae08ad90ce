/** Keys that work everywhere in the window; the shortcuts window lists them. Lists and panels have keys of their own. */

/** Action, and the keys for it as the toolkit writes them. */
export const ACCELERATORS: Readonly<Record<string, readonly string[]>> = {
  'win.search': ['<Control>f'], 'win.new-rule': ['<Control>n'], 'win.close': ['<Control>w'], 'win.back': ['<Alt>Left'],
  'win.show-help-overlay': ['<Control>question'], 'win.undo': ['<Control>z'], 'app.quit': ['<Control>q'],
};

/** The action that opens a page, and its key; the first page has the index 0. */
export function pageAccelerator(index: number): readonly [action: string, key: string] {
  return [`win.page-${String(index + 1)}`, `<Control>${String(index + 1)}`];
}

/** The key of a button with this label, which every language marks for itself: `<Alt>d` of "_Deny"; '' where none is marked. */
export function mnemonicAccelerator(label: string): string {
  const letter = /(?<!_)_([^_])/u.exec(label)?.[1] ?? '';
  return letter === '' ? '' : `<Alt>${letter.toLowerCase()}`;
}
