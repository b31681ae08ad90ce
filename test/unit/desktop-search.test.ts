/** The shell's search: what is found, in which order, and what hostile names and long searches do. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApplicationInfo } from '../../helper/contract/types.ts';
import { SEARCH_LIMITS, SearchIndex, fold } from '../../desktop/model/search.ts';
import type { FindProgram } from '../../desktop/model/program-name.ts';
import { SearchProvider } from '../../desktop/session/search-provider.ts';
import { ruleInfoOf, statusOf } from '../desktop/samples.ts';
import { StandInClient } from '../desktop/stand-in-client.ts';
import type { StandInCall } from '../desktop/stand-in-client.ts';

const NOW_MS = 1_800_000_000_000;

function applicationInfoOf(change: Partial<ApplicationInfo>): ApplicationInfo {
  return {
    id: 'a0', name: 'program', kind: 'program', path: '', interpreter: '', package: '', flatpak: '', snap: '', sha256: '', known_sha256: '',
    state: 'valid', reason: '', trusted: false, rules: 0, first_seen_ms: 0, last_seen_ms: 0, allowed: 0, refused: 0, sent_bytes: 0,
    received_bytes: 0, ...change,
  };
}

const find: FindProgram = (path) => (path === '/usr/lib/firefox/firefox' ? { name: 'Firefox', icon: 'firefox' } : null);
const firefox = applicationInfoOf({ id: 'a1', name: 'firefox', path: '/usr/lib/firefox/firefox', allowed: 900, refused: 4, rules: 2 });
const rules = [
  ruleInfoOf({ id: 'web', path: '/usr/lib/firefox/firefox', hits: 3 }),
  ruleInfoOf({ id: 'cafe', name: 'Café at the corner', path: '', domain: 'cafe.example.org' }),
];
const index = new SearchIndex([firefox, applicationInfoOf({ id: 'a2', name: 'curl', path: '/usr/bin/curl' })], rules, find, NOW_MS);

test('search: programs come before their rules, by the name that people know', () => {
  assert.deepEqual(index.find(['fire']), ['application:a1', 'rule:web']);
  assert.deepEqual(index.find(['FIREFOX', 'web']), ['rule:web']);
  const [application, rule] = index.metas(['application:a1', 'rule:web']);
  assert.deepEqual(application, {
    id: 'application:a1', title: 'Firefox', text: '2 rules  ·  904 connections  ·  /usr/lib/firefox/firefox', icon: 'firefox',
  });
  assert.equal(rule?.title, 'Firefox may reach any host for encrypted web (443).');
  assert.deepEqual(index.target('rule:web'), { page: 'rules', item: 'web' });
  assert.deepEqual(index.target('application:a1'), { page: 'applications', application: 'a1' });
});

test('search: accents and capitals make no difference, one letter finds nothing, and an unknown id leads nowhere', () => {
  assert.deepEqual(index.find(['CAFÉ']), ['rule:cafe']);
  assert.equal(fold('Ärger'), 'arger');
  assert.deepEqual(index.find(['f']), []);
  assert.deepEqual(index.find([]), []);
  assert.deepEqual(index.find(['fire'], ['rule:web', 'rule:gone']), ['rule:web']);
  assert.equal(index.target('rule:gone'), null);
  assert.deepEqual(index.metas(['rule:gone']), []);
});

test('search: results, texts and the index itself are bounded, and what has no room is counted', () => {
  const many = Array.from({ length: SEARCH_LIMITS.entries + 5 }, (_unused, at) => ruleInfoOf({ id: `rule-${String(at)}`, path: '/usr/bin/curl' }));
  const full = new SearchIndex([], [...many, ruleInfoOf({ id: 'x'.repeat(300) })], find, NOW_MS);
  assert.equal(full.size, SEARCH_LIMITS.entries);
  assert.equal(full.left, 6);
  // In processor time, so that a busy machine does not count.
  const before = process.cpuUsage();
  assert.equal(full.find(['curl']).length, SEARCH_LIMITS.results);
  const { user, system } = process.cpuUsage(before);
  assert.ok((user + system) / 1000 < 50);
  assert.deepEqual(full.find(Array.from({ length: 5000 }, () => 'y'.repeat(100_000))), []);
  assert.ok(full.metas(Array.from({ length: 5000 }, () => 'rule:rule-1')).length <= SEARCH_LIMITS.metas);
});

test('search: a hostile name is shown harmlessly and never becomes an icon', async () => {
  const hostile = applicationInfoOf({ id: 'evil', name: `\u{202e}gnp.<b>exe\n${'n'.repeat(5000)}`, path: `/tmp/\u{7}${'p'.repeat(4000)}` });
  const provider = providerOf([hostile], () => null);
  const [meta] = (await call(provider, 'GetResultMetas', [await found(provider, ['exe'])])) as readonly (readonly Record<string, { readonly value: string }>[])[];
  const [shown = {}] = meta ?? [];
  assert.equal(shown['gicon']?.value, 'application-x-executable');
  provider.stop();
  for (const text of [String(shown['name']?.value), String(shown['description']?.value)]) {
    assert.match(text, /^[^\u0000-\u001f\u202a-\u202e]{1,300}$/);
  }
});

test('search: the helper is asked once for a search, however many letters, and again when that is long ago', async () => {
  const calls: StandInCall[] = [];
  let nowMs = 0;
  const provider = providerOf([firefox], find, calls, () => nowMs);
  for (const word of ['f', 'fi', 'fir', 'fire']) await found(provider, [word]);
  assert.deepEqual(await found(provider, ['fire']), ['application:a1']);
  assert.equal(calls.filter((one) => one.call === 'listApplications').length, 1);
  assert.equal(calls.filter((one) => one.call === 'listRules').length, 1);
  nowMs = 31_000;
  await found(provider, ['fire']);
  assert.equal(calls.filter((one) => one.call === 'listRules').length, 2);
  provider.stop();
});

test('search: a refused list leaves the other, and without a helper the answer is empty', async () => {
  const calls: StandInCall[] = [];
  const client = clientOf([firefox], calls);
  client.refusals.set('listRules', { code: 'NotAuthorized' });
  const provider = new SearchProvider({ client, find, nowMs: () => 0, wallMs: () => NOW_MS, open: () => undefined, search: () => undefined });
  assert.deepEqual(await found(provider, ['fire']), ['application:a1']);
  provider.stop();
  const away = clientOf([firefox], calls);
  away.connected = false;
  const lonely = new SearchProvider({ client: away, find, nowMs: () => 0, wallMs: () => NOW_MS, open: () => undefined, search: () => undefined });
  assert.deepEqual(await found(lonely, ['fire']), []);
  lonely.stop();
});

function clientOf(applications: readonly ApplicationInfo[], calls: StandInCall[]): StandInClient {
  const client = new StandInClient(statusOf(), (one) => { calls.push(one); });
  client.connected = true;
  client.answers.set('listApplications', applications);
  return client;
}

function providerOf(applications: readonly ApplicationInfo[], look: FindProgram, calls: StandInCall[] = [], nowMs: () => number = () => 0): SearchProvider {
  return new SearchProvider({
    client: clientOf(applications, calls), find: look, nowMs, wallMs: () => NOW_MS, open: () => undefined, search: () => undefined,
  });
}

async function call(provider: SearchProvider, method: string, args: readonly unknown[]): Promise<readonly unknown[]> {
  return await (provider.methods[method]?.run(args) ?? []);
}

async function found(provider: SearchProvider, terms: readonly string[]): Promise<readonly string[]> {
  const [ids] = await call(provider, 'GetInitialResultSet', [terms]);
  return ids as readonly string[];
}
