/** Samples of foreign files, and what is read of them. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { BastionError } from '../../helper/contract/errors.ts';
import { importItem } from '../../helper/contract/types.ts';
import { ruleProblem } from '../../helper/import/check.ts';
import { formatOf, importText } from '../../helper/import/formats.ts';
import type { ImportFormat } from '../../helper/import/formats.ts';
import type { Imported, ImportItem } from '../../helper/import/types.ts';
import { parseRuleId } from '../../helper/policy/program.ts';

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

/** What is read, or null for a file that was refused with a typed error. */
export function tried(text: string, format: ImportFormat): Imported | null {
  try {
    return importText(text, format, NOW_MS);
  } catch (error: unknown) {
    assert.ok(error instanceof BastionError && (error.code === 'InvalidArgument' || error.code === 'LimitReached'), String(error));
    if (error.code === 'InvalidArgument') assert.match(error.message, /^line \d+, column \d+: /);
    return null;
  }
}

/** Everything that leaves an importer can be sent, shown and written. */
export function assertSound({ items }: Imported): void {
  const ids = new Set<string>();
  for (const item of items) {
    assert.ok(!/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u.test(item.source + item.text), 'what is shown deceives nobody');
    assert.ok(item.text !== '' && item.source.length <= 160 && item.text.length <= 400);
    if (item.rule === undefined) continue;
    const { id = '' } = item.rule;
    assert.ok(parseRuleId(id).ok && !ids.has(id), id);
    ids.add(id);
    assert.equal(ruleProblem(item.rule), null);
    if (item.outcome === 'review') assert.equal(item.rule.enabled, false);
    importItem.decode(importItem.encode({ outcome: item.outcome, file: '', line: item.line, source: item.source, text: item.text, rule: item.rule }), 'item');
  }
}
