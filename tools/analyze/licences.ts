/** Under which licences what comes from others may be used here, and that our own native files name theirs. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const ROOT = join(import.meta.dirname, '../..');

/** Those that GPL-3.0-or-later can be combined with. */
const COMPATIBLE = new Set([
  '0BSD', 'Apache-2.0', 'BlueOak-1.0.0', 'BSD-2-Clause', 'BSD-3-Clause', 'GPL-3.0-or-later', 'ISC', 'LGPL-3.0-or-later', 'MIT', 'Python-2.0', 'Unlicense', 'Zlib',
]);
/** What package.json of a package says in words of its own, or not at all, by its name: read in the package itself. */
const READ = new Map([
  ['@nornagon/put', 'MIT'], ['jsbi', 'Apache-2.0'], ['map-stream', 'MIT'], ['pause-stream', 'MIT'], ['json-schema', 'BSD-3-Clause'],
]);

const LOCK = z.object({ packages: z.record(z.string(), z.object({ license: z.unknown().optional() })) });

/** The bundled ones are looked at by the build too, which writes their texts into the packages. */
function ofOthers(): readonly string[] {
  const text = readFileSync(join(ROOT, 'package-lock.json'), 'utf8');
  const lines = text.split('\n');
  return Object.entries(LOCK.parse(JSON.parse(text)).packages).flatMap(([folder, { license }]) => {
    const name = folder.slice(folder.lastIndexOf('node_modules/') + 'node_modules/'.length);
    const told = READ.get(name) ?? JSON.stringify(license ?? 'none').replaceAll('"', '');
    if (COMPATIBLE.has(told)) return [];
    const line = lines.findIndex((one) => one.startsWith(`    "${folder}": {`)) + 1;
    return [`package-lock.json:${String(line)}: ${name} has the licence ${told}, which nobody has looked at`];
  });
}

/** The kernel takes no BPF program whose licence is not one of its own. */
function ofOurs(): readonly string[] {
  return ['native/src', 'native/bpf', 'native/probe'].flatMap((folder) => readdirSync(join(ROOT, folder)).flatMap((name) => {
    const wanted = folder === 'native/bpf' ? /SPDX-License-Identifier: GPL-2\.0-or-later/u : /SPDX-License-Identifier: GPL-3\.0-or-later/u;
    const head = readFileSync(join(ROOT, folder, name), 'utf8').slice(0, 200);
    return wanted.test(head) ? [] : [`${folder}/${name}:1: names no licence, or another one than its folder's`];
  }));
}

export function licences(): readonly string[] {
  return [...ofOthers(), ...ofOurs()];
}
