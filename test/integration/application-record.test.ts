/** What the page of an application reads, from the real helper; and a rehash of all files that is stopped. */
import assert from 'node:assert/strict';
import { appendFileSync, chmodSync, copyFileSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { readRecord } from '../../desktop/client/application-record.ts';
import { Suggestions } from '../../desktop/client/suggestions.ts';
import { HelperSession } from '../../desktop/client/session.ts';
import { NotConnectedError } from '../../helper/contract/client.ts';
import type { HelperClient } from '../../helper/contract/client.ts';
import type { ApplicationInfo } from '../../helper/contract/types.ts';
import { Lab } from '../lab/lab.ts';
import { clientOf, copyInto, noLab, until } from './support.ts';

/** Takes a second or two to hash, and no room on the disk. */
const LARGE_BYTES = 2_000_000_000;

describe('an application on the real helper', { skip: noLab(), timeout: 180_000 }, () => {
  let lab: Lab;
  let client: HelperClient;
  before(async () => {
    lab = await Lab.create({ defaultAction: 'allow' });
    client = clientOf(lab);
  });
  after(async () => {
    client.close();
    await lab.dispose();
  });

  function connect(path: string, address: string): Promise<{ readonly status: number | null }> {
    return lab.run([path, '--silent', '--globoff', '--output', '/dev/null', '--max-time', '20', `http://${address}/`]);
  }

  function inState(path: string, state: ApplicationInfo['state']): Promise<ApplicationInfo> {
    return until(`${path} ${state}`, async () => {
      const found = (await client.listApplications({ path }, 10, '')).rows[0];
      return found?.state === state ? found : null;
    });
  }

  test('its page finds its own connections, refusals and traffic, and who started it, and nothing of others', async () => {
    const own = copyInto(lab, '/usr/bin/curl', 'own');
    const other = copyInto(lab, '/usr/bin/curl', 'other');
    await client.addRule({ action: 'deny', path: own, address: lab.peer6 });
    await connect(own, lab.peer4);
    await connect(own, `[${lab.peer6}]`);
    await connect(other, lab.peer4);
    const info = await inState(own, 'valid');
    const record = await until('everything', async () => {
      const found = await readRecord(client, info, 'hour', Date.now());
      return found.destinations.length === 2 && found.refused.length === 1 ? found : null;
    });
    const total = (host: string): readonly unknown[] => {
      const row = record.destinations.find(({ destination }) => destination === host);
      return [row?.allowed, row?.refused];
    };
    assert.deepEqual([total(lab.peer4), total(lab.peer6)], [[1, 0], [0, 1]]);
    assert.deepEqual(record.refused.map(({ address, path }) => [address, path]), [[lab.peer6, own]]);
    assert.equal(record.series.reduce((sum, { allowed = 0, refused = 0 }) => sum + allowed + refused, 0), 2);
    assert.ok(record.lineages.some((lineage) => lineage.length > 0));
  });

  test('a rehash of all files that is stopped by closing its connection accepts nothing', async () => {
    const path = copyInto(lab, '/usr/bin/curl', 'stopped');
    await connect(path, lab.peer4);
    const known = await inState(path, 'valid');
    copyFileSync(path, `${path}.new`);
    appendFileSync(`${path}.new`, 'other bytes');
    chmodSync(`${path}.new`, 0o755);
    renameSync(`${path}.new`, path);
    await connect(path, lab.peer4);
    await inState(path, 'changed');
    const large = join(lab.folder, 'large');
    writeFileSync(large, '');
    chmodSync(large, 0o755);
    truncateSync(large, LARGE_BYTES);
    await client.addRule({ action: 'deny', path: large });
    const own = client.another();
    const begun = new Promise<void>((resolve) => { own.on('rehashProgress', () => { resolve(); }); });
    const rehash = own.rehashAll();
    await begun;
    own.close();
    await assert.rejects(rehash, NotConnectedError);
    // The next one finds the way free, and the file as it was.
    const [row] = await until('the end of the stopped one', () => client.rehash([`${known.id}=${known.sha256}`]).catch(() => null));
    assert.deepEqual([row?.result, row?.old_sha256], ['other-hash', known.sha256]);
    assert.equal((await inState(path, 'changed')).known_sha256, known.sha256);
  });

  test('suggestions are read while learning, added one after the other, and can all be taken back', async () => {
    await client.setMode('learning');
    const path = copyInto(lab, '/usr/bin/curl', 'learnt');
    await connect(path, lab.peer4);
    await connect(path, `[${lab.peer6}]`);
    const session = new HelperSession(client, { nowMs: () => performance.now(), wallMs: () => Date.now() });
    const suggestions = Suggestions.of(session);
    const ready = new Promise<void>((resolve) => { suggestions.changed.on(() => { if (suggestions.state.kind === 'ready') resolve(); }); });
    suggestions.peek();
    await ready;
    assert.ok(suggestions.state.kind === 'ready');
    const rules = suggestions.state.open.flatMap(({ rule }) => (rule?.path === path ? [rule] : []));
    assert.equal(rules.length, 2);
    const steps: number[] = [];
    const { ids, error } = await suggestions.add([...rules, { action: 'allow', path: 'not a path' }], (done) => steps.push(done));
    assert.deepEqual([ids.length, steps], [2, [1, 2]]);
    assert.ok(error instanceof Error, 'what could not be added is told, and what was added stays');
    const left = (await client.proposeRules({})).filter(({ rule }) => rule?.path === path);
    assert.deepEqual(left, []);
    await suggestions.remove(ids);
    assert.equal((await client.proposeRules({})).filter(({ rule }) => rule?.path === path).length, 2);
  });
});
