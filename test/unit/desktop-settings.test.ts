/** Preferences of the desktop: their keys are those of the schema, and nothing strange gets through. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { KEYS, Settings, inMemory, isSettingKey, isSettingValue } from '../../desktop/model/settings.ts';

const SCHEMA = readFileSync(join(import.meta.dirname, '../../data/desktop/org.bastionfirewall.Desktop.gschema.xml'), 'utf8');

test('settings: the schema has the same keys, types, choices and defaults', () => {
  const found = [...SCHEMA.matchAll(/<key name="([\w-]+)" type="(\w+)">([^]*?)<\/key>/gu)].map(([, name = '', type = '', content = '']) => {
    const text = /<default>([^<]*)<\/default>/u.exec(content)?.[1] ?? '';
    const choices = [...content.matchAll(/<choice value="([^"]*)"/gu)].map(([, value]) => value);
    return [name, type === 'b' ? { default: text === 'true' } : { default: text.slice(1, -1), choices }];
  });
  assert.deepEqual(Object.fromEntries(found), KEYS);
});

test('settings: a value is kept and told once, and anything strange is the default', () => {
  const store = inMemory();
  const settings = new Settings(store);
  const told: string[] = [];
  const stop = settings.onChanged((key) => { told.push(key); });
  assert.equal(settings.get('prompts'), 'notification');
  assert.equal(settings.set('prompts', 'window'), true);
  assert.equal(settings.set('prompts', 'window'), true);
  assert.equal(settings.get('prompts'), 'window');
  assert.deepEqual(told, ['prompts']);
  stop();
  store.write('prompts', 'telepathy');
  assert.equal(settings.get('prompts'), 'notification');
  assert.deepEqual(told, ['prompts']);
});

test('settings: names and values from another process are looked at first', () => {
  assert.equal(isSettingKey('prompts'), true);
  assert.equal(isSettingKey('constructor'), false);
  assert.equal(isSettingValue('prompts', 'window'), true);
  for (const value of ['', true, null, ['window'], { toString: () => 'window' }]) assert.equal(isSettingValue('prompts', value), false);
});
