/** The registry of applications on the real helper: what speaks is known, a replaced file is shown, and accepted by hand. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { appendFileSync, chmodSync, copyFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { HelperClient } from '../../helper/contract/client.ts';
import type { ApplicationInfo } from '../../helper/contract/types.ts';
import { Lab } from '../lab/lab.ts';
import { clientOf, copyInto, noLab, until } from './support.ts';

const CURL_REFUSED = 7;

function sha256(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

/** As an update or an attacker does it: another file under the same name. */
function replaceFile(path: string, extra: string): void {
  copyFileSync(path, `${path}.new`);
  appendFileSync(`${path}.new`, extra);
  chmodSync(`${path}.new`, 0o755);
  renameSync(`${path}.new`, path);
}

describe('applications on the real helper', { skip: noLab(), timeout: 180_000 }, () => {
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

  function connect(path: string): Promise<{ readonly status: number | null }> {
    return lab.run([path, '--silent', '--output', '/dev/null', '--max-time', '20', `http://${lab.peer4}/`]);
  }

  async function application(path: string): Promise<ApplicationInfo | null> {
    return (await client.listApplications({ path }, 10, '')).rows[0] ?? null;
  }

  function inState(path: string, state: ApplicationInfo['state']): Promise<ApplicationInfo> {
    return until(`${path} ${state}`, async () => {
      const found = await application(path);
      return found?.state === state ? found : null;
    });
  }

  test('a program that is replaced is shown as changed, and is valid again once it is accepted', async () => {
    const path = copyInto(lab, '/usr/bin/curl', 'replaced');
    await client.addRule({ action: 'allow', path });
    assert.equal((await connect(path)).status, 0);
    const first = await inState(path, 'valid');
    assert.equal(first.reason, 'first-seen');
    assert.equal(first.known_sha256, sha256(path));
    assert.equal(first.rules, 1);
    assert.ok(first.allowed >= 1 && first.first_seen_ms > 0);

    replaceFile(path, 'other bytes');
    await connect(path);
    const changed = await inState(path, 'changed');
    assert.equal(changed.known_sha256, first.sha256);
    assert.equal(changed.sha256, sha256(path));
    await until('the line of the journal', () => Promise.resolve(lab.logText().includes('the file of a program was changed') ? true : null));

    const progress: number[] = [];
    client.on('rehashProgress', (done, total) => progress.push(done / total));
    const [row] = await client.rehash([changed.id]);
    assert.deepEqual([row?.old_sha256, row?.new_sha256, row?.state, row?.result], [first.sha256, sha256(path), 'valid', 'accepted']);
    assert.equal(progress.at(-1), 1);
    const accepted = await inState(path, 'valid');
    assert.equal(accepted.trusted, true);
    assert.match(readFileSync(join(lab.configDir, 'applications.toml'), 'utf8'), new RegExp(`path = "${path}"\nsha256 = "${sha256(path)}"`, 'u'));
  });

  test('what allows a program holds back once its file was changed, and holds again when that is accepted', async () => {
    const path = copyInto(lab, '/usr/bin/curl', 'suspended');
    await client.addRule({ id: 'suspended', action: 'allow', path, priority: 1 });
    await client.addRule({ id: 'nobody-else', action: 'deny', path });
    assert.equal((await connect(path)).status, 0);
    await inState(path, 'valid');
    replaceFile(path, 'other bytes');
    assert.equal((await connect(path)).status, CURL_REFUSED);
    const { id } = await inState(path, 'changed');
    await client.rehash([id]);
    // What the kernel remembers follows a moment later.
    await until('a connection', async () => ((await connect(path)).status === 0 ? true : null));
  });

  test('a file of a package is as installed, by the package system’s own record', async () => {
    const path = '/usr/bin/curl';
    await connect(path);
    const row = await inState(path, 'valid');
    assert.deepEqual([row.reason, row.package], ['package', 'curl']);
    const [rehashed] = await client.rehash([row.id]);
    assert.deepEqual([rehashed?.result, rehashed?.state], ['same', 'valid']);
    assert.equal((await inState(path, 'valid')).reason, 'package');
  });

  test('nothing but the hash that was shown is accepted', async () => {
    const path = copyInto(lab, '/usr/bin/curl', 'again');
    await connect(path);
    await inState(path, 'valid');
    replaceFile(path, 'one');
    const shown = await inState(path, 'changed');
    replaceFile(path, 'two');
    const [row] = await client.rehash([`${shown.id}=${shown.sha256}`]);
    assert.equal(row?.result, 'other-hash');
    assert.equal((await inState(path, 'changed')).known_sha256, shown.known_sha256);
  });

  test('what was known stays known over a restart, and a program that is gone is missing', async () => {
    const path = copyInto(lab, '/usr/bin/curl', 'restarted');
    await connect(path);
    const before = await inState(path, 'valid');
    await lab.stopHelper();
    replaceFile(path, 'while nobody looked');
    await lab.startHelper();
    client.close();
    client = clientOf(lab);
    const after = await inState(path, 'changed');
    assert.equal(after.known_sha256, before.sha256);
    assert.equal(after.first_seen_ms, before.first_seen_ms);
    rmSync(path);
    await inState(path, 'missing');
  });

  test('an entry by hand counts as soon as it is saved, goes before what was first seen, and a broken one is reported', async () => {
    const path = copyInto(lab, '/usr/bin/curl', 'by-hand');
    await connect(path);
    await inState(path, 'valid');
    const file = join(lab.configDir, 'applications.toml');
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, `${text}\n[[application]]\npath = "${path}"\nsha256 = "${'0'.repeat(64)}" # not this one\n`, { mode: 0o640 });
    assert.equal((await inState(path, 'changed')).reason, 'not-trusted');
    writeFileSync(file, `${text}\n[[application]]\npath = "${path}"\nsha256 = "torn\n`, { mode: 0o640 });
    const [error] = await until('the error', async () => {
      const { loadErrors } = await client.status();
      return loadErrors.length > 0 ? loadErrors : null;
    });
    assert.equal(error?.file, file);
    assert.ok(error.line > 1 && error.column > 0);
    assert.match(error.message, /last good version/u);
    assert.equal((await inState(path, 'changed')).reason, 'not-trusted');
    writeFileSync(file, text, { mode: 0o640 });
    await inState(path, 'valid');
  });

  test('bastionctl lists the state in words and accepts by path', async () => {
    const path = copyInto(lab, '/usr/bin/curl', 'by-path');
    await connect(path);
    await inState(path, 'valid');
    replaceFile(path, 'x');
    await inState(path, 'changed');
    // The list is made anew while others of its files are looked at.
    await until('the state in words', async () => {
      const { stdout } = await lab.ctl(['applications', 'list', '--state', 'changed']);
      return /\nby-path +changed /u.test(stdout) ? stdout : null;
    });
    const { status, stdout } = await lab.ctl(['applications', 'rehash', path, '--json'], { as: 'root' });
    assert.equal(status, 0);
    assert.deepEqual((JSON.parse(stdout) as readonly { readonly result: string }[]).map(({ result }) => result), ['accepted']);
    assert.equal((await lab.ctl(['applications', 'rehash', '--all'], { as: 'root' })).status, 0);
  });

  test('a rule file that was edited while the helper was away is announced, and counts', async () => {
    await lab.stopHelper();
    const file = join(lab.configDir, 'rules.d/20-edited.toml');
    writeFileSync(file, '[[rule]]\nid = "edited"\naction = "deny"\ndestination = { address = "192.0.2.99" }\n', { mode: 0o640 });
    await lab.startHelper();
    client.close();
    client = clientOf(lab);
    assert.equal((await client.getRule('edited')).action, 'deny');
    const line = await until('the line of the journal', () => Promise.resolve(
      lab.logText().split('\n').find((one) => one.includes('edited while the helper was away') && one.includes('20-edited')) ?? null));
    assert.ok(line.includes('new'), line);
  });

  test('the self test verifies the files of the product', async () => {
    const check = (await client.selfTest()).find(({ name }) => name === 'files');
    assert.equal(check?.ok, true, check?.detail);
  });
});
