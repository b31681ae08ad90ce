/** Lists on real packets: what they refuse, how fast a saved file counts, and who fetches what is fetched. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { ListInfo } from '../../helper/contract/types.ts';
import { ADDRESSES } from '../lab/network.ts';
import { ROOT } from '../lab/process.ts';
import { NameLab } from './support-names.ts';
import { hears, noLab, until } from './support.ts';

const { peer4, peer6 } = ADDRESSES;
const CURL_NO_NAME = 6;
const CURL_REFUSED = 7;
const SERVER_PORT = 8089;
const FETCHED = 'four.lab.test\n';
const NOBODY = 65_534;
/** At the peer: one list for everybody, for as long as it lives. */
const SERVER = `require('http').createServer((request, response) => response.end(${JSON.stringify(FETCHED)})).listen(${String(SERVER_PORT)}, () => console.log('ready'))`;

describe('lists', { skip: noLab() }, () => {
  let names: NameLab;
  let folder: string;
  before(async () => {
    names = await NameLab.create({ lab: { defaultAction: 'allow' } });
    folder = join(names.lab.configDir, 'lists');
    mkdirSync(folder, { mode: 0o755 });
  });
  after(async () => { await names.dispose(); });

  /** Writes the file of a list. */
  function write(name: string, text: string): string {
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o640 });
    return path;
  }

  async function settings(lists: string): Promise<void> {
    const path = join(names.lab.configDir, 'bastion.toml');
    const [own = ''] = readFileSync(path, 'utf8').split('\n[[list]]');
    writeFileSync(path, `${own}\n${lists}`);
    await names.client.reload();
  }

  async function row(id: string, wanted: (list: ListInfo) => boolean): Promise<ListInfo> {
    return until(`the list ${id}`, async () => (await names.client.listLists()).find((list) => list.id === id && wanted(list)) ?? null);
  }

  test('a rule refuses every program what a list of names or addresses holds, from the moment on which the file is saved', async () => {
    await settings(`[[list]]\nid = "ads"\nfile = "${write('ads.txt', '0.0.0.0 six.lab.test\n')}"\n[[list]]\nid = "nets"\nfile = "${write('nets.txt', '192.0.2.0/24\n')}"\n`);
    await names.client.addRule({ id: 'no-ads', action: 'deny', list: 'ads' });
    await names.client.addRule({ id: 'no-nets', action: 'deny', list: 'nets' });
    const path = await names.curl('curl-lists', false);
    assert.equal((await names.get(path, 'http://four.lab.test/')).status, 0);
    assert.equal((await names.get(path, `http://${peer4}/`)).status, 0);
    assert.ok([CURL_REFUSED, CURL_NO_NAME].includes((await names.get(path, 'http://six.lab.test/')).status ?? 0));

    write('ads.txt', '0.0.0.0 lab.test\n');
    write('nets.txt', `${peer4}\n`);
    await until('the new lists', async () => ((await names.get(path, `http://${peer4}/`)).status === CURL_REFUSED ? true : null));
    await until('the new names', async () => ((await names.get(path, 'http://four.lab.test/')).status === CURL_NO_NAME ? true : null));
    assert.equal((await names.get(path, `http://[${peer6}]/`)).status, 0);

    write('ads.txt', '# none\n');
    write('nets.txt', '192.0.2.0/24\n');
    await until('the list to let go', async () => ((await names.get(path, 'http://four.lab.test/')).status === 0 ? true : null));
    const [ads] = await names.client.listLists();
    assert.deepEqual([ads?.used_by, ads?.error, ads?.entries], [['no-ads'], '', 0]);
  });

  test('bastionctl tells what is wrong with a list, and what was loaded stays', async () => {
    write('ads.txt', '0.0.0.0 six.lab.test\n');
    await row('ads', ({ entries }) => entries === 1);
    write('ads.txt', '<html>\n');
    await row('ads', ({ error }) => error !== '');
    const { stdout, status } = await names.lab.ctl(['rules', 'lists', 'update', 'ads', '--json'], { as: 'root' });
    const [shown] = JSON.parse(stdout) as readonly ListInfo[];
    assert.deepEqual([status, shown?.entries, shown?.error], [1, 1, 'No line of it is an entry.']);
    const told = await names.lab.ctl(['status'], { as: 'root' });
    assert.match(told.stdout, /List ads: No line of it is an entry\. What it said before stays in force/);
    assert.equal((await names.lab.ctl(['rules', 'lists', 'update', 'none'], { as: 'root' })).status, 1);
    write('ads.txt', '0.0.0.0 six.lab.test\n');
    assert.equal((await names.lab.ctl(['rules', 'lists', 'update'], { as: 'root' })).status, 0);
  });

  test('a list is fetched by nobody, whose connections are decided as any program’s, and its copy is kept', { skip: process.geteuid?.() !== 0 && 'needs root' }, async () => {
    const server = names.lab.spawnAtPeer([process.execPath, '-e', SERVER]);
    assert.ok(server.stdout !== null);
    await once(server.stdout, 'data');
    await names.client.addRule({ id: 'no-fetching', action: 'deny', user: String(NOBODY), port: String(SERVER_PORT) });
    const sha256 = createHash('sha256').update(FETCHED).digest('hex');
    await settings(`[[list]]\nid = "far"\nurl = "http://${peer4}:${String(SERVER_PORT)}/"\nsha256 = "${sha256}"\n`);
    const refused = await row('far', ({ error }) => error !== '');
    assert.match(refused.error, /ECONNREFUSED/);
    const flows = await until('the flow', async () => {
      const found = (await names.client.queryFlows({ uid: NOBODY }, 10, '')).rows.filter(({ port }) => port === SERVER_PORT);
      return found.length > 0 ? found : null;
    });
    assert.deepEqual([flows[0]?.rule_id, flows[0]?.path], ['no-fetching', process.execPath]);
    // What the vendor's rule says, for the script of this tree: it goes before the denial, which names no program.
    const script = join(ROOT, 'build/helper/fetch.mjs');
    await names.client.addRule({
      id: 'fetching', action: 'allow', path: process.execPath, script, user: String(NOBODY), port: String(SERVER_PORT),
    });
    assert.equal((await names.lab.ctl(['rules', 'lists', 'update', 'far'], { as: 'root' })).status, 0);
    assert.equal((await row('far', ({ entries }) => entries === 1)).error, '');
    assert.deepEqual(readdirSync(join(names.lab.stateDir, 'lists')).sort(), ['far.json', 'far.list']);
    server.kill('SIGKILL');
    await names.lab.restartHelper();
    await hears(names.client);
    await row('far', ({ entries, updating }) => entries === 1 && !updating);
  });
});
