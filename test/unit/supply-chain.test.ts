/** What of others comes into the product: exact versions that are checked, nothing that runs while it is fetched, every licence told. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const ROOT = join(import.meta.dirname, '../..');

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
}

interface Lock {
  readonly packages: Readonly<Record<string, { readonly version?: string; readonly integrity?: string; readonly resolved?: string; readonly link?: boolean }>>;
}

interface Bill {
  readonly bomFormat: string;
  readonly serialNumber?: string;
  readonly metadata: { readonly timestamp?: string };
  readonly components: readonly {
    readonly name: string;
    readonly version: string;
    readonly licenses: readonly { readonly license: { readonly id: string } }[];
    readonly hashes: readonly { readonly content: string }[];
  }[];
}

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

const manifest = JSON.parse(read('package.json')) as Manifest;
const lock = JSON.parse(read('package-lock.json')) as Lock;

test('every package is asked for in one exact version, and is that one in the lock', () => {
  for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies })) {
    assert.match(version, /^\d+\.\d+\.\d+$/u, name);
    assert.equal(lock.packages[`node_modules/${name}`]?.version, version, name);
  }
});

test('the lock has a checksum of every package, and names no host', () => {
  for (const [name, entry] of Object.entries(lock.packages)) {
    if (name === '') continue;
    assert.match(entry.integrity ?? '', /^sha512-/u, name);
    assert.equal(entry.resolved, undefined, name);
    assert.equal(entry.link, undefined, name);
  }
});

test('nothing of others runs while packages are fetched', () => {
  assert.match(read('.npmrc'), /^ignore-scripts=true$/mu);
});

test('the bill of materials has what is in the bundles, each with version, licence and checksum, and is the same every time', () => {
  const bill = JSON.parse(read('build/doc/sbom.cdx.json')) as Bill;
  assert.equal(bill.bomFormat, 'CycloneDX');
  assert.deepEqual([bill.serialNumber, bill.metadata.timestamp], [undefined, undefined]);
  const names = bill.components.map(({ name }) => name);
  // One for each way in: a bundle, the compiled addon, node-gtk and what it loads, the runtime.
  for (const name of ['zod', 'node-addon-api', 'node-gtk', 'lodash.camelcase', `node-linux-${process.arch}`]) assert.ok(names.includes(name), name);
  for (const name of ['typescript', 'eslint', 'esbuild']) assert.ok(!names.includes(name), `${name} builds the product and is not in it`);
  const told = read('build/doc/THIRD-PARTY');
  for (const { name, version, licenses, hashes } of bill.components) {
    assert.equal(lock.packages[`node_modules/${name}`]?.version, version, name);
    assert.match(hashes[0]?.content ?? '', /^[0-9a-f]{128}$/u, name);
    assert.ok(told.includes(`\n${name} ${version} (${licenses[0]?.license.id ?? ''})\n`), name);
  }
});
