/** Links and pictures of the documents lead somewhere. */
import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../lab/process.ts';
import { GUIDES, anchorsOf, isThere, linksOf, textOf } from './docs-support.ts';

test('documents: every link into the repository leads to a file, and to a heading where it names one', () => {
  for (const file of [...GUIDES, 'helper/DESIGN.md']) {
    for (const target of linksOf(file)) {
      const [path = '', anchor] = target.split('#');
      const at = path === '' ? file : join(dirname(file), path);
      assert.ok(isThere(at), `${file}: ${target}`);
      if (anchor !== undefined) assert.ok(anchorsOf(at).has(anchor), `${file}: ${target}`);
    }
  }
});

test('documents: every picture is shown somewhere, with words for who does not see it', () => {
  const shown = new Set(GUIDES.flatMap((file) => linksOf(file).map((target) => join(dirname(file), target))));
  for (const picture of globSync('docs/images/*', { cwd: ROOT })) assert.ok(shown.has(picture), picture);
  for (const file of GUIDES) assert.doesNotMatch(textOf(file), /!\[\s*\]\(/u, file);
});

test('documents: every page is linked from another one', () => {
  const linked = new Set(GUIDES.flatMap((file) => linksOf(file).map((target) => join(dirname(file), target.split('#')[0] ?? ''))));
  for (const page of GUIDES) if (page !== 'README.md') assert.ok(linked.has(page), page);
});
