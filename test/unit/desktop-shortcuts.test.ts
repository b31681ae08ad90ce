/** The shortcuts window tells of every key that there is, and of no other. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ACCELERATORS, mnemonicAccelerator, pageAccelerator } from '../../desktop/model/accelerators.ts';
import { PAGE_IDS } from '../../desktop/ui/page.ts';

const UI = join(import.meta.dirname, '../../desktop/ui');
/** Keys that a list, a panel or the question hears by itself, by their names in the code. */
const HEARD: Readonly<Record<string, string>> = {
  Escape: 'Escape', Delete: 'Delete', a: '<Control>a', space: 'space', Up: '<Shift>Up', Down: '<Shift>Down',
};
/** The toolkit's key for the main menu, and those of the question's buttons. */
const OF_THE_TOOLKIT = ['F10', '<Alt>d', '<Alt>a'];

/** One that ends in 1...8 stands for eight. */
function spread(key: string): readonly string[] {
  const range = /^(.*)(\d)\.\.\.(\d)$/.exec(key);
  if (range === null) return [key];
  const [first, last] = [Number(range[2]), Number(range[3])];
  return Array.from({ length: last - first + 1 }, (_, index) => `${range[1] ?? ''}${String(first + index)}`);
}

function told(): ReadonlySet<string> {
  const text = readFileSync(join(UI, 'shortcuts.ui'), 'utf8');
  const keys = [...text.matchAll(/<property name="accelerator">([^<]*)</g)].flatMap(([, key = '']) => key.split(' '));
  return new Set(keys.flatMap((key) => spread(key.replaceAll('&lt;', '<').replaceAll('&gt;', '>'))));
}

function heardInTheCode(): readonly string[] {
  const sources = readdirSync(UI).filter((name) => name.endsWith('.ts')).map((name) => readFileSync(join(UI, name), 'utf8'));
  return sources.flatMap((text) => [...text.matchAll(/Gdk\.KEY_(\w+)/g)].map(([, name = '']) => name));
}

test('shortcuts: the window lists every key that the window, its lists and the question have, and no other', () => {
  const accelerators = [...Object.values(ACCELERATORS).flat(), ...[...PAGE_IDS.keys()].map((page) => pageAccelerator(page)[1])];
  const heard = heardInTheCode().map((name) => HEARD[name] ?? `unlisted: ${name}`);
  assert.deepEqual([...told()].sort(), [...new Set([...accelerators, ...heard, ...OF_THE_TOOLKIT])].sort());
});

test('shortcuts: the key of a button is the letter that its language marks', () => {
  assert.equal(mnemonicAccelerator('_Deny'), '<Alt>d');
  assert.equal(mnemonicAccelerator('A_blehnen'), '<Alt>b');
  assert.equal(mnemonicAccelerator('允许(_A)'), '<Alt>a');
  assert.equal(mnemonicAccelerator('Deny'), '');
  assert.equal(mnemonicAccelerator('a__b'), '');
});
