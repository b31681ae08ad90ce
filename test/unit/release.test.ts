/** One version and one date of a release, wherever it is written. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { VERSION } from '../../helper/ctl/version.ts';
import { ROOT } from '../lab/process.ts';

const read = (name: string): string => readFileSync(join(ROOT, name), 'utf8');
const KINDS = ['Added', 'Changed', 'Deprecated', 'Removed', 'Fixed', 'Security'];

interface Release {
  readonly version: string;
  /** As 2026-11-21. */
  readonly date: string;
}

/** Of CHANGELOG.md, the newest first; what is not released yet is left out. */
function changelogReleases(): readonly Release[] {
  return [...read('CHANGELOG.md').matchAll(/^## \[(\d[^\]]*)\] - (\d{4}-\d\d-\d\d)$/gmu)].map(([, version = '', date = '']) => ({ version, date }));
}

/** Of debian/changelog; the Debian revision is left out. */
function debianReleases(): readonly Release[] {
  return [...read('debian/changelog').matchAll(/^\S+ \(([^)]+)\) [\s\S]*?^ -- .*> {2}(.+)$/gmu)].map(([, version = '', date = '']) => {
    return { version: version.replace(/-[^-]*$/u, ''), date: new Date(date).toISOString().slice(0, 10) };
  });
}

function metainfoReleases(): readonly Release[] {
  const text = read('data/desktop/org.bastionfirewall.Desktop.metainfo.xml');
  return [...text.matchAll(/<release version="([^"]+)" date="([^"]+)"/gu)].map(([, version = '', date = '']) => ({ version, date }));
}

test('release: the program, the packages and the descriptions are of one version', () => {
  const lock = JSON.parse(read('package-lock.json')) as { readonly version: string; readonly packages: Readonly<Record<string, { readonly version?: string }>> };
  const { version } = JSON.parse(read('package.json')) as Pick<Release, 'version'>;
  assert.deepEqual([VERSION, lock.version, lock.packages['']?.version], [version, version, version]);
  assert.equal(changelogReleases()[0]?.version, version, 'CHANGELOG.md');
  assert.equal(debianReleases()[0]?.version, version, 'debian/changelog');
  assert.equal(metainfoReleases()[0]?.version, version, 'metainfo');
});

test('release: every release has one date', () => {
  const dated = changelogReleases();
  assert.ok(dated.length > 0);
  assert.deepEqual(metainfoReleases(), dated, 'metainfo');
  const newest = new Map<string, string>();
  for (const { version, date } of debianReleases()) if (!newest.has(version)) newest.set(version, date);
  for (const { version, date } of dated) assert.equal(newest.get(version), date, `debian/changelog: ${version}`);
  assert.deepEqual([...dated].sort((one, other) => other.date.localeCompare(one.date)), dated, 'the newest first');
});

test('release: CHANGELOG.md has the kinds of changes that people look for, each once in a release', () => {
  for (const release of read('CHANGELOG.md').split(/^## /mu).slice(1)) {
    const kinds = [...release.matchAll(/^### (.+)$/gmu)].map(([, kind = '']) => kind);
    assert.ok(kinds.length > 0, release.slice(0, 30));
    assert.deepEqual(kinds, KINDS.filter((kind) => kinds.includes(kind)), release.slice(0, 30));
  }
});
