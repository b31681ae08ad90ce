/** Names of real lookups on real packets: what a prompt shows, what it joins, and how far its answer reaches. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import type { PromptInfo } from '../../helper/contract/types.ts';
import { ADDRESSES, enterNamespace } from '../lab/network.ts';
import { endChild, startTied } from '../lab/process.ts';
import { NAME_SERVER, NameLab, STUB } from './support-names.ts';
import { noLab, promptFor, until } from './support.ts';

const { peer4, peer6 } = ADDRESSES;
const CURL_REFUSED = 7;
const NOBODY = 65_534;
const skip = noLab();

/** The first name only: where the ordinary user is `nobody`, what he asked for counts for everybody, as with services. */
function seen(prompt: PromptInfo): readonly unknown[] {
  return [prompt.destination, prompt.address, prompt.port, prompt.names[0] ?? '', prompt.name_sources[0] ?? ''];
}

describe('names', { skip }, () => {
  let names: NameLab;
  before(async () => { names = await NameLab.create(); });
  after(async () => { await names.dispose(); });

  for (const [family, server] of [['IPv4', peer4], ['IPv6', peer6]] as const) {
    test(`one question for a lookup and the connection that follows it, with the name, over ${family}`, async () => {
      const path = await names.curl(`curl-${family}`, false);
      assert.equal(await names.prompts(async () => {
        const got = names.get(path, 'http://both.lab.test/', { server });
        const prompt = await promptFor(names.client, path);
        assert.deepEqual([prompt.destination, prompt.is_lookup, prompt.address], ['both.lab.test', true, server]);
        await names.client.answer(prompt.nonce, { action: 'allow', lifetime: 'once', scope: 'host' });
        const { status, stderr } = await got;
        assert.equal(status, 0, stderr);
      }), 1);
      const flow = (await names.flows(path)).find(({ port }) => port === 80);
      assert.deepEqual([flow?.host, flow?.action, flow?.reason, flow?.rule_id], ['both.lab.test', 'allow', 'prompt-answer', '']);
    });
  }

  for (const [how, host, options] of [
    ['over UDP', 'four.lab.test', ''], ['over TCP', 'four.lab.test', 'use-vc'], ['that is cut off and asked again over TCP', 'long.lab.test', ''],
    ['by way of an alias', 'alias.lab.test', ''],
  ] as const) {
    test(`the prompt of a connection shows the name of a lookup ${how}; Deny ends it at once`, async () => {
      const path = await names.curl(`curl-${host}${options}`, true);
      await names.lab.peer.watch();
      const got = names.get(path, `http://${host}/`, { options });
      const prompt = await promptFor(names.client, path);
      assert.deepEqual(seen(prompt), [host, peer4, 80, host, 'program']);
      await names.client.answer(prompt.nonce, { action: 'deny', lifetime: 'always', scope: 'host' });
      assert.equal((await got).status, CURL_REFUSED);
      assert.equal((await names.lab.peer.counts()).of('syn/80'), 0);
    });
  }

  test('both addresses of a name are one prompt, and Always covers both', async () => {
    const path = await names.curl('curl-both', true);
    assert.equal(await names.prompts(async () => {
      const got = names.get(path, 'http://both.lab.test/');
      const both = await until('both connections in one prompt', async () => {
        const { rows } = await names.client.listPrompts(500, '');
        return rows.find((row) => row.path === path && row.count === 2) ?? null;
      });
      await names.client.answer(both.nonce, { action: 'allow', lifetime: 'always', scope: 'host' });
      assert.equal((await got).status, 0);
      for (const address of [peer4, `[${peer6}]`]) assert.equal((await names.get(path, `http://${address}/`)).status, 0);
    }), 1);
  });

  test('Always for a lookup is one question for good: the program looks the name up and reaches it', async () => {
    const path = await names.curl('curl-always', false);
    assert.equal(await names.prompts(async () => {
      const got = names.get(path, 'http://four.lab.test/');
      const prompt = await promptFor(names.client, path);
      assert.deepEqual([prompt.is_lookup, prompt.by_name, prompt.pattern, prompt.scopes], [true, 'four.lab.test', '*.lab.test', ['host', 'domain', 'port', 'any']]);
      await names.client.answer(prompt.nonce, { action: 'allow', lifetime: 'always', scope: 'host' });
      assert.equal((await got).status, 0);
      assert.equal((await names.get(path, 'http://four.lab.test/')).status, 0);
    }), 1);
    const other = names.get(path, 'http://both.lab.test/');
    await names.client.answer((await promptFor(names.client, path)).nonce, { action: 'deny', lifetime: 'once' });
    assert.notEqual((await other).status, 0);
  });

  test('what a program asks the stub of systemd-resolved is its own name', async () => {
    const stub = startTied([...enterNamespace(names.lab.clientNamespace), process.execPath, NAME_SERVER, STUB], {
      stdio: ['ignore', 'pipe', names.lab.logDescriptor],
    });
    try {
      assert.ok(stub.stdout !== null);
      await once(stub.stdout, 'data');
      for (const options of ['', 'use-vc']) {
        const path = await names.curl(`curl-stub-${options}`, false);
        const got = names.get(path, 'http://four.lab.test/', { server: STUB, options });
        const prompt = await promptFor(names.client, path);
        assert.deepEqual(seen(prompt), ['four.lab.test', peer4, 80, 'four.lab.test', 'program']);
        await names.client.answer(prompt.nonce, { action: 'deny', lifetime: 'once' });
        assert.equal((await got).status, CURL_REFUSED);
      }
    } finally {
      await endChild(stub, 500);
    }
  });

  test('a name that only another program asked for is not shown', async () => {
    const [asks, other] = [await names.curl('curl-asks', true), await names.curl('curl-other', false)];
    await names.client.addRule({ id: 'asks-web', action: 'allow', path: asks, port: '80' });
    assert.equal((await names.get(asks, 'http://six.lab.test/')).status, 0);
    const got = names.get(other, `http://[${peer6}]/`);
    const prompt = await promptFor(names.client, other);
    assert.equal(prompt.name_sources.includes('program'), false);
    if (names.lab.user.uid !== NOBODY) assert.deepEqual(prompt.names, []);
    await names.client.answer(prompt.nonce, { action: 'deny', lifetime: 'once' });
    assert.equal((await got).status, CURL_REFUSED);
  });
});

describe('names that do not count', { skip }, () => {
  test('an answer of a server that is not configured names nothing, and /etc/hosts names without a server', async () => {
    const names = await NameLab.create({ counted: 'nameserver 192.0.2.53\n', hosts: `${peer6} printer.lan\n` });
    try {
      const path = await names.curl('curl-other-server', true);
      for (const [url, shown] of [
        ['http://four.lab.test/', [peer4, peer4, 80, '', '']],
        [`http://[${peer6}]/`, ['printer.lan', peer6, 80, 'printer.lan', 'hosts']],
      ] as const) {
        const got = names.get(path, url);
        const prompt = await promptFor(names.client, path);
        assert.deepEqual(seen(prompt), shown);
        await names.client.answer(prompt.nonce, { action: 'deny', lifetime: 'once' });
        assert.equal((await got).status, CURL_REFUSED);
      }
    } finally {
      await names.dispose();
    }
  });
});
