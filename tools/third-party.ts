/**
 * What of others is in the packages, each with the licence that it came with: THIRD-PARTY for people and sbom.cdx.json
 * (CycloneDX 1.6) for machines, into build/doc. Both are made of what the bundles really hold, so nothing is listed that is not
 * there, and a package without a licence breaks the build.
 */
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Metafile } from 'esbuild';

/** What is in the packages without being in a bundle: the runtime, what was compiled in, and what node-gtk loads. */
const NOT_BUNDLED = [`node-linux-${process.arch}`, 'node-addon-api', 'node-gtk', 'nan', 'lodash.camelcase', 'lodash.snakecase'];
const LICENCE_FILE = /^(?:licen[cs]e|copying|notice)(?:[.-]|$)/iu;
/** Told by the text where package.json says nothing, or not in words of SPDX. */
const BY_TEXT: readonly (readonly [RegExp, string])[] = [
  [/Apache License\s+Version 2\.0/u, 'Apache-2.0'],
  [/Permission is hereby granted, free of charge, to any person/u, 'MIT'],
];
const SPDX = /^[A-Za-z0-9.+-]+$/u;

interface Part {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  readonly text: string;
  /** As in package-lock.json: SHA-512 in base64. */
  readonly integrity: string;
}

function readTable(path: string): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
  if (typeof value !== 'object' || value === null) throw new TypeError(`${path} holds no table`);
  return value as Readonly<Record<string, unknown>>;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Folders below the repository that these bundles were made of, such as `node_modules/zod`. */
function foldersOf(bundles: readonly Metafile[]): readonly string[] {
  const inputs = bundles.flatMap(({ outputs }) => Object.values(outputs)).flatMap((output) => Object.entries(output.inputs));
  const found = inputs.filter(([, { bytesInOutput }]) => bytesInOutput > 0)
    .flatMap(([path]) => /^.*\bnode_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/u.exec(path) ?? []);
  return [...new Set([...found, ...NOT_BUNDLED.map((name) => `node_modules/${name}`)])].sort();
}

function partIn(root: string, folder: string, lock: Readonly<Record<string, unknown>>): Part {
  const manifest = readTable(join(root, folder, 'package.json'));
  const name = textOf(manifest['name']);
  const texts = readdirSync(join(root, folder)).filter((file) => LICENCE_FILE.test(file)).sort()
    .map((file) => readFileSync(join(root, folder, file), 'utf8').trim());
  if (texts.length === 0) throw new Error(`${folder} comes without the text of its licence`);
  const text = texts.join('\n\n');
  const said = textOf(manifest['license']);
  const licence = SPDX.test(said) ? said : BY_TEXT.find(([pattern]) => pattern.test(text))?.[1];
  if (licence === undefined) throw new Error(`${folder}: which licence is that?`);
  const locked = lock[folder];
  const integrity = typeof locked === 'object' && locked !== null && 'integrity' in locked ? textOf(locked.integrity) : '';
  if (!integrity.startsWith('sha512-')) throw new Error(`${folder} is not in package-lock.json`);
  return { name, version: textOf(manifest['version']), licence, text, integrity };
}

function purl({ name, version }: Pick<Part, 'name' | 'version'>): string {
  return `pkg:npm/${name.replace('@', '%40')}@${version}`;
}

/** Without a serial number and a time: the same tree gives the same bytes. */
function billOfMaterials(product: Readonly<Record<string, unknown>>, parts: readonly Part[]): unknown {
  const own = { name: textOf(product['name']), version: textOf(product['version']) };
  const reference = `pkg:deb/${own.name}@${own.version}`;
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      component: { 'type': 'application', 'bom-ref': reference, ...own, 'purl': reference, 'licenses': [{ license: { id: textOf(product['license']) } }] },
    },
    components: parts.map((part) => ({
      'type': part.name.startsWith('node-linux-') ? 'platform' : 'library',
      'bom-ref': purl(part),
      'name': part.name,
      'version': part.version,
      'purl': purl(part),
      'licenses': [{ license: { id: part.licence } }],
      // Of the archive that npm fetched and checked.
      'hashes': [{ alg: 'SHA-512', content: Buffer.from(part.integrity.slice('sha512-'.length), 'base64').toString('hex') }],
    })),
    dependencies: [{ ref: reference, dependsOn: parts.map(purl) }],
  };
}

function forPeople(parts: readonly Part[]): string {
  const blocks = parts.map(({ name, version, licence, text }) => {
    const long = name.startsWith('node-linux-') ? 'Its text is in node-LICENSE beside this file.' : text;
    return `${'='.repeat(78)}\n${name} ${version} (${licence})\n${'='.repeat(78)}\n\n${long}\n`;
  });
  return `Bastion Firewall holds these works of others. Debian's libraries, which it uses, have packages of their own.\n\n${blocks.join('\n')}`;
}

/** Writes both files. Throws where a licence, its text or an entry of the lock is missing. */
export function writeThirdParty(root: string, bundles: readonly Metafile[]): void {
  const lock = readTable(join(root, 'package-lock.json'))['packages'] as Readonly<Record<string, unknown>>;
  const parts = foldersOf(bundles).map((folder) => partIn(root, folder, lock));
  const target = join(root, 'build/doc');
  mkdirSync(target, { recursive: true });
  writeFileSync(join(target, 'sbom.cdx.json'), `${JSON.stringify(billOfMaterials(readTable(join(root, 'package.json')), parts), null, 1)}\n`);
  writeFileSync(join(target, 'THIRD-PARTY'), forPeople(parts));
}
