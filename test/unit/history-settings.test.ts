/** [history] of bastion.toml. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_HISTORY } from '../../helper/adapters/rule-store/history-settings.ts';
import { readSettings } from '../../helper/adapters/rule-store/settings.ts';

test('history settings: what is not said is as shipped', () => {
  for (const text of ['', '[history]\n', 'mode = "learning"\n']) {
    const read = readSettings(text);
    assert.deepEqual(read.ok && read.settings.history, DEFAULT_HISTORY, text);
  }
});

test('history settings: each key is read', () => {
  const read = readSettings('[history]\nenabled = false\nnames = false\nkeep_days = 7\nmax_mb = 64\nprometheus_file = "/var/lib/x/bastion.prom"\n');
  assert.deepEqual(read.ok && read.settings.history, {
    enabled: false, names: false, keepDays: 7, maxMegabytes: 64, prometheusFile: '/var/lib/x/bastion.prom',
  });
});

test('history settings: what is wrong is told with its line and how to mend it', () => {
  const wrong: readonly (readonly [string, number, RegExp])[] = [
    ['[history]\nkeep_days = 0\n', 2, /keep_days.*from 1 to 3650/u],
    ['[history]\nmax_mb = "big"\n', 2, /max_mb.*whole number/u],
    ['[history]\nenabled = "no"\n', 2, /true or false/u],
    ['\n[history]\nnaems = true\n', 3, /no key.*names/u],
    ['[history]\nprometheus_file = "bastion.prom"\n', 2, /absolute path.*\.prom/u],
    ['[history]\nprometheus_file = "/etc/passwd"\n', 2, /absolute path.*\.prom/u],
    ['[history]\nprometheus_file = "/a/../b.prom"\n', 2, /absolute path.*\.prom/u],
    ['[[history]]\nenabled = true\n', 1, /Write \[history\]/u],
    ['history = { enabled = false }\n', 1, /history/u],
  ];
  for (const [text, line, message] of wrong) {
    const read = readSettings(text);
    assert.ok(!read.ok, text);
    assert.equal(read.problems[0]?.line, line, text);
    assert.match(read.problems[0].message, message);
  }
});
