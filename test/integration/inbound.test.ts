/** What comes in by an interface of a zone that refuses it, as the peer sees it: the outside of the lab. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { HelperClient } from '../../helper/contract/client.ts';
import { connectBus } from '../../helper/contract/transport.ts';
import { rescue } from '../lab/boot-scripts.ts';
import { Lab } from '../lab/lab.ts';
import { tool } from '../lab/process.ts';
import { Talking, flushRules } from '../leaks/support.ts';
import { FULL_SIZE, clientOf, copyInto, noLab, program, until } from './support.ts';

const OPEN = '8080';
const CLOSED = '8090';
const LIMITED = '8081';
const FAR = '8082';
const FIREWALLD = 'org.fedoraproject.FirewallD1';
const LIMIT_MS = 30_000;

/** A port of the peer's for each try, so that each is a connection of its own. */
let fromPort = 45_000;

function zone(limited: string): string {
  return [
    '[[interface]]', 'name = "eth*"', 'zone = "wan"', '', '# What the neighbours may use.', '[[zone]]', 'name = "wan"', 'inbound = "deny"   # nobody else',
    `allow = [{ port = "${OPEN}" }, { port = "${LIMITED}", application = "${limited}" }, { port = "${FAR}", from = "192.0.2.200" }]`, '',
  ].join('\n');
}

async function serve(lab: Lab, path: string, protocol: 'tcp' | 'udp', port: string): Promise<Talking> {
  const server = new Talking(lab.spawn([path, protocol, port, 'lab-tag:served;']));
  assert.equal(await server.line(LIMIT_MS), 'listening');
  return server;
}

/** The peer speaks once; how many packets came back to its port. */
async function speak(lab: Lab, protocol: 'tcp' | 'udp', address: string, port: string): Promise<number> {
  fromPort += 1;
  await lab.peer.watch();
  await lab.runAtPeer([program('sockets'), 'from', protocol, address, port, String(fromPort), 'question']);
  const counts = await lab.peer.counts();
  assert.equal(counts.lost, 0);
  return counts.of(`${protocol}/${String(fromPort)}`) + counts.of(`${protocol}6/${String(fromPort)}`);
}

/** As somebody does who gets no answer: again, until there is one. */
function answered(lab: Lab, protocol: 'tcp' | 'udp', address: string, port: string): Promise<true> {
  return until(`an answer of ${protocol} port ${port} at ${address}`, async () => (await speak(lab, protocol, address, port) > 0 ? true : null), LIMIT_MS);
}

async function silent(lab: Lab, protocol: 'tcp' | 'udp', address: string, port: string): Promise<void> {
  for (let round = 0; round < 2; round += 1) assert.equal(await speak(lab, protocol, address, port), 0, `${protocol} ${address} ${port}`);
}

function rulesOf(lab: Lab, backend: string): string {
  return ['', '6'].map((family) => tool('ip', ['netns', 'exec', lab.clientNamespace, `ip${family}tables${backend.slice('iptables'.length)}-save`])).join('');
}

/** The rules of the two families come one after the other. */
function inBoth(lab: Lab, backend: string, text: string): Promise<true> {
  return until(`${text} in both families`, () => Promise.resolve(rulesOf(lab, backend).split(text).length > 2 ? true : null), LIMIT_MS);
}

/** Echoes to whoever connects. */
const ECHO = "require('node:net').createServer((socket) => socket.pipe(socket)).listen(8070, '::', () => console.log('listening'))";
/** Connects, and says something once more after each line of its input. */
const CONVERSE = 'exec 3<>"/dev/tcp/$1/8070" || exit; while echo word >&3 && read -r word <&3 && echo "$word" && read -r _; do :; done';

for (const backend of ['iptables-nft', 'iptables-legacy'] as const) {
  // What does not depend on the backend is looked at with one of them.
  const more = (name: string, run: () => Promise<void>): void => {
    if (backend === 'iptables-nft' || FULL_SIZE) test(name, run);
  };
  describe(`what comes in, ${backend}`, { skip: noLab() }, () => {
    let lab: Lab;
    let client: HelperClient;
    let limited: string;
    let other: string;
    const servers: Talking[] = [];

    before(async () => {
      lab = await Lab.create({ defaultAction: 'allow', backend });
      limited = copyInto(lab, program('server'), 'limited-server');
      other = copyInto(lab, program('server'), 'other-server');
      client = clientOf(lab);
      for (const protocol of ['tcp', 'udp'] as const) {
        for (const port of [OPEN, CLOSED, FAR]) servers.push(await serve(lab, other, protocol, port));
      }
    });
    after(async () => {
      client.close();
      for (const server of servers) await server.end();
      await lab.dispose();
    });

    const addresses = (): readonly string[] => [lab.client4, lab.client6];

    test('as installed nothing of it is in netfilter, and everything comes in', async () => {
      assert.doesNotMatch(rulesOf(lab, backend), /BASTION_INBOUND/);
      assert.equal((await client.network()).inbound_by, 'nobody');
      for (const address of addresses()) await answered(lab, 'tcp', address, CLOSED);
    });

    test('a zone that refuses lets in what its entries say, over both protocols and families, and is silent to the rest', async () => {
      writeFileSync(join(lab.configDir, 'bastion.toml'), `\n${zone(limited)}`, { flag: 'a' });
      assert.deepEqual(await client.reload(), []);
      await inBoth(lab, backend, '-g BASTION_INBOUND_1');
      for (const protocol of ['tcp', 'udp'] as const) {
        for (const address of addresses()) {
          await answered(lab, protocol, address, OPEN);
          await silent(lab, protocol, address, CLOSED);
          await silent(lab, protocol, address, FAR);
        }
      }
      // A count is good for a second.
      const wan = await until('what was refused', async () => {
        const { rows: [row] } = await client.listZones(10, '');
        return row !== undefined && (row.inbound_refused ?? 0) >= 16 ? row : null;
      }, LIMIT_MS);
      assert.equal(wan.inbound, 'deny');
      assert.deepEqual(wan.inbound_allow?.map(({ port, application }) => [port, application]), [[OPEN, undefined], [LIMITED, limited], [FAR, undefined]]);
      assert.equal((await client.network()).inbound_by, 'bastion');
      assert.equal((await client.selfTest()).find(({ name }) => name === 'rules')?.ok, true);
    });

    more('a connection from outside that is open when its zone comes to refuse goes on', async () => {
      await client.setInbound('wan', 'off', []);
      const echo = new Talking(lab.spawn([process.execPath, '-e', ECHO]));
      assert.equal(await echo.line(LIMIT_MS), 'listening');
      const open = new Talking(lab.spawnAtPeer(['bash', '-c', CONVERSE, 'bash', lab.client4]));
      assert.equal(await open.line(LIMIT_MS), 'word');
      await client.setInbound('wan', 'deny', [{ port: OPEN }, { port: LIMITED, application: limited }, { port: FAR, from: '192.0.2.200' }]);
      await silent(lab, 'tcp', lab.client4, '8070');
      assert.equal(await open.ask(), 'word');
      await open.end();
      await echo.end();
    });

    more('answers to what this machine began, ping both ways and neighbours pass', async () => {
      tool('ip', ['-n', lab.clientNamespace, 'neighbour', 'flush', 'all']);
      for (const address of [lab.peer4, lab.peer6]) {
        const echoed = await lab.run(['bash', '-c', `exec 3<>/dev/tcp/${address}/7; echo hello >&3; head -n 1 <&3; exec 4<>/dev/udp/${address}/7; echo again >&4; head -n 1 <&4`]);
        assert.equal(echoed.stdout, 'hello\nagain\n', echoed.stderr);
        assert.equal((await lab.run(['ping', '-c', '1', '-W', '20', address])).status, 0);
      }
      for (const address of addresses()) assert.equal((await lab.runAtPeer(['ping', '-c', '1', '-W', '20', address])).status, 0);
    });

    more('an entry for one program: another one on that port completes no connection, even with a rule that allows it', async () => {
      await client.addRule({ action: 'allow', path: other });
      for (const protocol of ['tcp', 'udp'] as const) {
        const wrong = await serve(lab, other, protocol, LIMITED);
        for (const address of addresses()) await silent(lab, protocol, address, LIMITED);
        await wrong.end();
        const right = await serve(lab, limited, protocol, LIMITED);
        for (const address of addresses()) await answered(lab, protocol, address, LIMITED);
        await right.end();
      }
      const { rows } = await client.queryFlows({ verdict: 'refused' }, 50, '');
      const told = rows.find(({ reason }) => reason === 'inbound');
      assert.ok(told?.path === other);
      assert.match((await client.explain(told.id)).text, /for another program only/);
    });

    test('netfilter emptied: the rules come back by themselves', async () => {
      await flushRules(lab);
      await until('the rules', () => Promise.resolve(rulesOf(lab, backend).split('-j BASTION_INBOUND\n').length === 3 ? true : null), LIMIT_MS);
      await silent(lab, 'tcp', lab.client4, CLOSED);
      await answered(lab, 'tcp', lab.client4, OPEN);
    });

    more('without the helper what is refused stays refused, and what is let in goes on', async () => {
      await lab.stopHelper('SIGKILL');
      await silent(lab, 'tcp', lab.client4, CLOSED);
      await silent(lab, 'udp', lab.client6, CLOSED);
      await answered(lab, 'tcp', lab.client4, OPEN);
      await lab.startHelper();
      await silent(lab, 'tcp', lab.client6, CLOSED);
    });

    more('SetInbound: written beside what stands in bastion.toml, and in force when it returns', async () => {
      await client.setInbound('wan', 'deny', [{ port: CLOSED, protocol: 'tcp' }, { service: 'ssh' }]);
      await answered(lab, 'tcp', lab.client4, CLOSED);
      await silent(lab, 'udp', lab.client4, CLOSED);
      await silent(lab, 'tcp', lab.client6, OPEN);
      const text = readFileSync(join(lab.configDir, 'bastion.toml'), 'utf8');
      assert.ok(text.includes(`inbound = "deny"   # nobody else\nallow = [{ port = "${CLOSED}", protocol = "tcp" }, "ssh"]\n`), text);
      assert.ok(text.includes('# What the neighbours may use.\n'), text);
      await client.setInbound('wan', 'off', []);
      assert.doesNotMatch(rulesOf(lab, backend), /BASTION_INBOUND/);
      await answered(lab, 'udp', lab.client4, OPEN);
      await assert.rejects(client.setInbound('nowhere', 'deny', []), { code: 'NotFound' });
      await assert.rejects(client.setInbound('wan', 'deny', [{ service: 'shh' }]), { code: 'InvalidArgument' });
    });

    more('an interface that is known by its hardware address refuses as soon as it has it, and the default zone is for every other one', async () => {
      const file = join(lab.configDir, 'bastion.toml');
      const [link] = (await client.listInterfaces(10, '')).rows.filter(({ kind }) => kind !== 'loopback');
      assert.ok(link !== undefined);
      const before = readFileSync(file, 'utf8');
      const named = '[[interface]]\nname = "eth*"\nzone = "wan"\n';
      assert.ok(before.includes(named));
      await client.setInbound('wan', 'deny', [{ port: OPEN }]);
      const refusing = readFileSync(file, 'utf8');
      writeFileSync(file, refusing.replace(named, '[[interface]]\nmac = "02:00:00:00:12:34"\nzone = "wan"\n'));
      assert.deepEqual(await client.reload(), []);
      await answered(lab, 'tcp', lab.client4, CLOSED);
      tool('ip', ['-n', lab.clientNamespace, 'link', 'set', link.name, 'address', '02:00:00:00:12:34']);
      await inBoth(lab, backend, `-i ${link.name} -g BASTION_INBOUND_1`);
      tool('ip', ['-n', lab.peerNamespace, 'neighbour', 'flush', 'all']);
      await answered(lab, 'tcp', lab.client4, OPEN);
      await silent(lab, 'tcp', lab.client4, CLOSED);
      writeFileSync(file, `default_zone = "wan"\n${refusing.replace(named, '')}`);
      assert.deepEqual(await client.reload(), []);
      await inBoth(lab, backend, '-A BASTION_INBOUND -g BASTION_INBOUND_1');
      await silent(lab, 'udp', lab.client4, CLOSED);
    });

    more('firewalld is left in charge while it is there, and that is said', async () => {
      await client.setInbound('wan', 'deny', []);
      const bus = await connectBus({ address: lab.busAddress });
      await bus.requestName(FIREWALLD);
      await until('firewalld to be seen', async () => (await client.network()).inbound_by === 'firewalld' ? true : null, LIMIT_MS);
      await until('our rules to go', () => Promise.resolve(rulesOf(lab, backend).includes('BASTION_INBOUND') ? null : true), LIMIT_MS);
      const [error] = await client.reload();
      assert.match(error?.message ?? '', /^firewalld judges what comes in on this machine, so inbound of the zone "wan" is not in force/);
      bus.close();
      await until('our rules to come back', async () => (await client.network()).inbound_by === 'bastion' ? true : null, LIMIT_MS);
      await silent(lab, 'tcp', lab.client4, CLOSED);
    });

    test('off takes it away, and so does rescue', async () => {
      await client.off();
      assert.doesNotMatch(rulesOf(lab, backend), /BASTION_/);
      await answered(lab, 'tcp', lab.client4, CLOSED);
      await client.setMode('enforcing');
      await silent(lab, 'tcp', lab.client4, CLOSED);
      const { status, stderr } = await rescue(lab);
      assert.equal(status, 0, stderr);
      assert.doesNotMatch(rulesOf(lab, backend), /BASTION_/);
      await answered(lab, 'tcp', lab.client4, CLOSED);
    });
  });
}
