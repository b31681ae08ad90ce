/** Samples of foreign files, and what is read of them. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { formatOf, importText } from '../../helper/import/formats.ts';
import type { ImportFormat } from '../../helper/import/formats.ts';
import type { Imported, ImportItem } from '../../helper/import/types.ts';

export const SAMPLES = join(import.meta.dirname, 'import-samples');
/** Noon of 2026-11-21, UTC. */
export const NOW_MS = 1_795_262_400_000;

/** The text of a sample; of a folder the list that bastionctl would make of it. */
export function sample(name: string): string {
  if (name.includes('.')) return readFileSync(join(SAMPLES, name), 'utf8');
  const files = readdirSync(join(SAMPLES, name)).sort().map((file) => readFileSync(join(SAMPLES, name, file), 'utf8'));
  return `[\n${files.join('\n,\n')}\n]`;
}

/** Reads a text, the format told from it when it is not named. */
export function read(text: string, format: ImportFormat | '' = ''): Imported {
  return importText(text, formatOf(format, text).format, NOW_MS);
}

/** `outcome source`, one for each item. */
export function outcomes({ items }: Pick<Imported, 'items'>): readonly string[] {
  return items.map(({ outcome, source }) => `${outcome} ${source}`);
}

/** The only item of a text. */
export function only(text: string, format: ImportFormat | '' = ''): ImportItem {
  const [item, ...more] = read(text, format).items;
  if (item === undefined || more.length > 0) throw new Error(`expected one item, got ${String(more.length + (item === undefined ? 0 : 1))}`);
  return item;
}

/** One rule of OpenSnitch as text. */
export function openSnitchRule(operator: unknown, change: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({
    created: '2026-11-21T00:00:00Z', name: 'a-rule', enabled: true, precedence: false, action: 'allow', duration: 'always', operator, ...change,
  });
}

/** An operator all of whose members must match. */
export function all(...list: readonly unknown[]): unknown {
  return { type: 'list', operand: 'list', data: '', list };
}

export function simple(operand: string, data: string): unknown {
  return { type: 'simple', operand, data, sensitive: false };
}
