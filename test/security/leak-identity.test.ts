/** What an unprivileged user can arrange so that one program is taken for another, and what it costs everybody else. */
import assert from 'node:assert/strict';
import { linkSync, mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, test } from 'node:test';
import { Lab } from '../lab/lab.ts';
import { clientOf, copyInto, noLab, program, promptFor, rested, until } from '../integration/support.ts';
import { flushRules } from '../leaks/support.ts';

/** More sockets than the kernel remembers owners of. */
const CHURN = 150_000;
/** Nobody listens there: an echo to a closed socket would bring the text to the peer once more, in the kernel's error. */
const PORT = '9';

describe('one program taken for another', { skip: noLab() }, () => {
  test('a path from a mount namespace of the user\'s own neither opens anything nor takes a program\'s permission away', async (t) => {
    await using lab = await Lab.create({ defaultAction: 'deny' });
    const client = clientOf(lab);
    t.after(() => { client.close(); });
    const curl = copyInto(lab, '/usr/bin/curl');
    const intruder = copyInto(lab, '/usr/bin/curl', 'intruder');
    await client.addRule({ action: 'allow', path: curl });
    const visit = (path: string, page: string): string => `'${path}' --silent --max-time 3 http://${lab.peer4}/${page}`;
    await lab.peer.watch();
    // The allowed program is run first under another name, and then the intruder under the allowed name.
    const arranged = await lab.run(['unshare', '-Urm', 'sh', '-ec', [
      'mount -t tmpfs none /mnt', 'mkdir /mnt/bin', `mount --bind '${join(lab.folder, 'bin')}' /mnt/bin`,
      `${visit('/mnt/bin/curl', '')} || true`,
      `mount --bind '${intruder}' '${curl}'`,
      `! ${visit(curl, '')}`,
    ].join('\n')]);
    assert.equal(arranged.status, 0, arranged.stderr);
    assert.equal((await lab.peer.counts()).of('syn/80'), 0);
    const done = await lab.run([curl, '--silent', '--max-time', '20', `http://${lab.peer4}/`]);
    assert.equal(done.status, 0, done.stderr);
  });

  test('after more sockets than the kernel remembers: an open socket keeps its owner, allowed or denied', async (t) => {
    await using lab = await Lab.create({ defaultAction: 'deny' });
    const client = clientOf(lab);
    t.after(() => { client.close(); });
    const allowed = copyInto(lab, program('leak'), 'allowed');
    const denied = copyInto(lab, program('leak'), 'denied');
    await client.addRule({ action: 'allow', path: allowed });
    await client.addRule({ action: 'deny', path: denied });
    const before = (await client.status()).statistics.unidentified;
    await lab.peer.watch();
    for (const path of [allowed, denied]) {
      await lab.run([path, 'churn', lab.peer4, PORT, String(CHURN), `lab-tag:${path === allowed ? 'allowed' : 'denied'};`]);
    }
    await lab.run([allowed, 'lend', 'alone', lab.peer4, PORT, allowed, 'lab-tag:last;']);
    // Held while its program is looked at for the first time.
    const counts = await until('the last datagram', async () => {
      const now = await lab.peer.counts();
      return now.of('tag/last') > 0 ? now : null;
    });
    assert.equal(counts.of('tag/last'), 1);
    assert.equal(counts.of('tag/allowed'), 2);
    assert.equal(counts.of('tag/denied'), 0);
    assert.equal((await client.status()).statistics.unidentified, before);
  });

  for (const state of ['the helper running', 'the helper killed and netfilter emptied'] as const) {
    test(`look-alikes, ${state}: a hard link, a bind mount or a copy with the allowed name`, async (t) => {
      await using lab = await Lab.create({ defaultAction: 'deny' });
      const client = clientOf(lab);
      t.after(() => { client.close(); });
      const allowed = copyInto(lab, program('leak'), 'allowed');
      const intruder = copyInto(lab, program('leak'), 'intruder');
      await client.addRule({ action: 'allow', path: allowed });
      const alone = (path: string, tag: string): string => `'${path}' lend alone ${lab.peer4} ${PORT} '${path}' 'lab-tag:${tag};' || true`;
      await rested(allowed);
      await lab.peer.watch();
      await lab.run(['sh', '-c', alone(intruder, 'refused')]);
      await lab.run(['sh', '-c', alone(allowed, 'first')]);
      await until('the allowed one', async () => ((await lab.peer.counts()).of('tag/first') > 0 ? true : null));
      const folder = join(lab.folder, 'bin', 'other');
      mkdirSync(folder);
      const linked = join(folder, basename(allowed));
      linkSync(intruder, linked);
      if (state !== 'the helper running') {
        await lab.stopHelper('SIGKILL');
        await flushRules(lab);
      }
      await lab.peer.watch();
      await lab.run(['sh', '-c', alone(linked, 'linked')]);
      await lab.run(['unshare', '-Urm', 'sh', '-c', [
        `mount --bind '${intruder}' '${allowed}'`, alone(allowed, 'mounted'),
        'mount -t tmpfs none /mnt', `cp '${intruder}' /mnt/allowed`, alone('/mnt/allowed', 'copied'),
      ].join('\n')]);
      await lab.run(['sh', '-c', alone(allowed, 'last')]);
      const counts = await until('the last datagram', async () => {
        const now = await lab.peer.counts();
        return now.of('tag/last') > 0 ? now : null;
      });
      assert.equal(counts.of('tag/last'), 1);
      assert.deepEqual(['linked', 'mounted', 'copied'].filter((tag) => counts.of(`tag/${tag}`) > 0), []);
    });
  }

  test('a program that was handed a connected socket is asked about under its own name', async (t) => {
    await using lab = await Lab.create();
    const client = clientOf(lab);
    t.after(() => { client.close(); });
    const intruder = copyInto(lab, program('leak'), 'intruder');
    const lender = copyInto(lab, program('leak'), 'lender');
    await client.addRule({ action: 'allow', path: lender });
    // What the lender sends itself is decided in the kernel then, and does not wait beside what the intruder sends.
    await rested(lender);
    const asked = async (): Promise<string> => (await client.queryFlows({ path: lender }, 1, '')).rows[0]?.id ?? '';
    await until('a decision that is remembered', async () => {
      const before = await asked();
      await lab.run([lender, 'lend', 'alone', lab.peer4, '7', lender, 'lender']);
      return before !== '' && before === await asked() ? true : null;
    });
    await lab.run([lender, 'lend', 'exec-udp', lab.peer4, '7', intruder, 'lab-tag:handed;']);
    assert.equal((await promptFor(client, intruder)).count, 1);
  });
});
