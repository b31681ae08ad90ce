/** Where in the sources a site is, for people who read a report. */
import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { join, relative } from 'node:path';
import { ROOT, tryTool } from '../../lab/process.ts';

const maps = new Map<string, SourceMap>();

function mapOf(bundle: string): SourceMap {
  const known = maps.get(bundle);
  if (known !== undefined) return known;
  const map = new SourceMap(JSON.parse(readFileSync(join(ROOT, 'build', `${bundle}.map`), 'utf8')) as ConstructorParameters<typeof SourceMap>[0]);
  maps.set(bundle, map);
  return map;
}

/** `helper/main.mjs:LINE:COLUMN` or `+OFFSET` of the addon as a file and line of the tree, where that can be told. */
export function placeOf(site: string): string {
  const [call = '', place = '', target = ''] = site.split(' ');
  const [, bundle, line, column] = /^([\w/.-]+\.mjs):(\d+):(\d+)$/u.exec(place) ?? [];
  if (bundle !== undefined) {
    const found = mapOf(bundle).findEntry(Number(line) - 1, Number(column) - 1);
    if (!('originalSource' in found)) return site;
    const source = relative(ROOT, join(ROOT, 'build', bundle, '..', found.originalSource));
    return `${call} ${source}:${String(found.originalLine + 1)} ${target}`;
  }
  const [, offset] = /^\+([0-9a-f]+)$/u.exec(place) ?? [];
  if (offset === undefined) return site;
  // The frame is where the call returns to; a byte before lies in the call.
  const at = (Number.parseInt(offset, 16) - 1).toString(16);
  const line1 = tryTool('addr2line', ['-e', join(ROOT, 'build/native/bastion.node'), `0x${at}`])?.trim() ?? '??';
  return line1.startsWith('??') ? site : `${call} ${relative(ROOT, line1)} ${target}`;
}
