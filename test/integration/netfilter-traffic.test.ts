/** What leaves, what is refused and what is held under the rules alone: no helper runs, and nobody listens on the queue. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { RulesetSpec } from '../../helper/ports.ts';
import { compile } from '../lab/compile.ts';
import { Lab } from '../lab/lab.ts';
import type { Result } from '../lab/lab.ts';
import { tool } from '../lab/process.ts';
import { missingRights } from '../lab/user-namespace.ts';
import { RulesetClient } from '../lab/ruleset-client.ts';
import type { Backend } from '../lab/ruleset-client.ts';
import { onceWithin, until } from './support.ts';

const MARK = 0x2000;
/**
 * The stand-ins for the kernel's decisions: everything to this port is allowed, to that refused, all else undecided. No UDP
 * service answers on the allowed one, so that each payload is seen once.
 */
const ALLOWED_PORT = 80;
const REFUSED_PORT = 9;
const UNDECIDED_PORT = 7;
/** What goes there counts as an answer to a peer that spoke first; as over the share of its user. */
const ANSWER_PORT = 11;
const EXCESS_PORT = 13;
/** Undecided, and no service of the peer answers there. */
const SILENT_PORT = 17;
const REAPPLY_ROUNDS = 20;
/** FACTS: a synchronous reset takes 0.1 ms; a dropped SYN would be seen again after 1 s. */
const AT_ONCE_MS = 500;
/** Whoever connects or is refused says so long before. */
const PATIENCE_MS = 20_000;

/** Connects and prints the error's name, or `connected`; `ms` since the call. */
const CONNECT = `
const [address, port, waitMs] = process.argv.slice(1);
const start = performance.now();
const done = (text) => { console.log(JSON.stringify({ text, ms: performance.now() - start })); process.exit(); };
const socket = require('node:net').connect(Number(port), address, () => done('connected'));
socket.on('error', (error) => done(error.code));
setTimeout(() => done('held'), Number(waitMs));
`;

const missing = missingRights();
const skip = missing === null ? false : `needs network namespaces: ${missing}`;

for (const backend of ['iptables-nft', 'iptables-legacy'] as const satisfies readonly Backend[]) {
  describe(backend, { skip }, () => {
    let lab: Lab;
    let rules: RulesetClient;
    let attack: string;
    let decided: RulesetSpec;
    let stateful: RulesetSpec;

    before(async () => {
      lab = await Lab.create({ startHelper: false });
      rules = new RulesetClient(lab);
      attack = compile('attack.c', lab.folder);
      assert.ok(lab.pinDir !== null, 'this machine gives root no bpffs');
      const pins = join(lab.pinDir, '..');
      const xtPrograms = { allow: join(pins, 'allow'), refuse: join(pins, 'refuse'), hold: join(pins, 'hold'), reply: join(pins, 'reply') };
      const matchPort = compile('match-port.c', lab.folder);
      tool(matchPort, [xtPrograms.allow, String(ALLOWED_PORT)]);
      tool(matchPort, [xtPrograms.refuse, String(REFUSED_PORT)]);
      tool(matchPort, [xtPrograms.hold, '!', String(ANSWER_PORT), String(EXCESS_PORT)]);
      tool(matchPort, [xtPrograms.reply, String(ANSWER_PORT)]);
      decided = { queueNumber: 3, bypass: false, refuseMark: MARK, xtPrograms };
      stateful = { ...decided, xtPrograms: null };
    });
    after(async () => {
      await rules.close();
      await lab.dispose();
    });

    async function connect(address: string, port: number, waitMs = PATIENCE_MS): Promise<{ readonly text: string; readonly ms: number }> {
      const done = await lab.run([process.execPath, '-e', CONNECT, address, String(port), String(waitMs)]);
      return JSON.parse(done.stdout) as { text: string; ms: number };
    }

    function udp(address: string, port: number, tag: string, as: 'user' | 'root' = 'user', fromPort = 0): Promise<Result> {
      return lab.run([attack, 'udp', address, String(fromPort), String(port), `lab-tag:${tag};`], { as });
    }

    /** Nothing comes of it for as long as a reset or an answer takes many times. */
    async function held(address: string, port: number): Promise<void> {
      assert.equal((await connect(address, port, AT_ONCE_MS)).text, 'held');
    }

    /** How often a payload with this tag has reached the peer. */
    async function arrived(tag: string): Promise<number> {
      const counts = await lab.peer.counts();
      assert.equal(counts.lost, 0);
      return counts.of(`tag/${tag}`);
    }

    /** Until a payload is there, and with it everything that was sent before. */
    async function there(tag: string): Promise<void> {
      await until(`${tag} at the peer`, async () => (await arrived(tag) > 0 ? true : null));
    }

    for (const family of [4, 6] as const) {
      describe(`IPv${String(family)}`, () => {
        const peer = (): string => (family === 4 ? lab.peer4 : lab.peer6);
        const own = (): string => (family === 4 ? lab.client4 : lab.client6);
        const six = family === 4 ? '' : '6';

        before(async () => {
          await rules.apply(backend, decided);
          await lab.peer.watch();
        });

        test('an allowed connection opens, the neighbour\'s address included', async () => {
          tool('ip', ['-n', lab.clientNamespace, 'neighbour', 'flush', 'all']);
          assert.equal((await connect(peer(), ALLOWED_PORT)).text, 'connected');
        });

        test('a refused connection fails at once with ECONNREFUSED and no SYN leaves', async () => {
          await onceWithin(AT_ONCE_MS, 'refused late', async () => {
            const { text, ms } = await connect(peer(), REFUSED_PORT);
            assert.equal(text, 'ECONNREFUSED');
            return ms;
          });
          assert.equal((await lab.peer.counts()).of(`syn${six}/${String(REFUSED_PORT)}`), 0);
        });

        test('a refused datagram fails at once and does not leave', async () => {
          const sent = await udp(peer(), REFUSED_PORT, 'refused');
          assert.deepEqual([sent.status, sent.stdout], [1, 'EPERM\n']);
          assert.equal(await arrived('refused'), 0);
        });

        test('an undecided connection is held, and no SYN of it leaves', async () => {
          await held(peer(), UNDECIDED_PORT);
          assert.equal((await lab.peer.counts()).of(`syn${six}/${String(UNDECIDED_PORT)}`), 0);
        });

        test('an undecided datagram and an undecided ping do not leave, an allowed datagram does', async () => {
          await udp(peer(), UNDECIDED_PORT, 'undecided');
          await lab.run(['ping', '-c', '1', '-W', '0.2', peer()]);
          await udp(peer(), ALLOWED_PORT, 'allowed');
          await there('allowed');
          assert.equal(await arrived('undecided'), 0);
          assert.equal(await arrived('allowed'), 1);
          assert.equal((await lab.peer.counts()).of(family === 4 ? 'icmp/8' : 'icmp6/128'), 0);
        });

        test('root has no way round: its undecided datagrams, echo replies and marks do not help', async () => {
          await udp(peer(), UNDECIDED_PORT, 'root', 'root');
          await lab.run([attack, `reply${String(family)}`, peer(), 'lab-tag:reply;'], { as: 'root' });
          await lab.run([attack, 'mark', String(MARK), peer(), String(UNDECIDED_PORT), 'lab-tag:mark;'], { as: 'root' });
          await udp(peer(), ALLOWED_PORT, 'barrier', 'root');
          await there('barrier');
          assert.deepEqual(
            [await arrived('root'), await arrived('reply'), await arrived('mark'), await arrived('barrier')], [0, 0, 0, 1]);
        });

        test('an allowed packet that brings our mark is allowed all the same: others use that bit too', async () => {
          await lab.run([attack, 'mark', String(MARK), peer(), String(ALLOWED_PORT), 'lab-tag:marked-allowed;'], { as: 'root' });
          await there('marked-allowed');
          assert.equal(await arrived('marked-allowed'), 1);
        });

        test('an undecided answer to a peer leaves although nobody listens on the queue, and what is over a share never does', async () => {
          await udp(peer(), ANSWER_PORT, 'answer-away');
          await udp(peer(), EXCESS_PORT, 'excess');
          await rules.apply(backend, { ...decided, bypass: true });
          await udp(peer(), EXCESS_PORT, 'excess-bypass');
          await udp(peer(), SILENT_PORT, 'bypass-barrier');
          await there('bypass-barrier');
          await rules.apply(backend, decided);
          const tags = ['answer-away', 'excess', 'excess-bypass', 'bypass-barrier'];
          assert.deepEqual(await Promise.all(tags.map(arrived)), [1, 0, 0, 1]);
        });

        test('the kernel answers a ping from outside, and a server\'s SYN-ACK is looked at like a first SYN', async () => {
          const ping = await lab.runAtPeer(['ping', '-c', '1', '-W', '20', own()]);
          assert.equal(ping.status, 0, ping.stdout);
          const server = lab.spawn([process.execPath, '-e', `
            require('node:net').createServer((s) => { s.end('served'); process.exitCode = 0; s.on('close', () => process.exit()); })
              .listen(8080, '::', () => console.log('listening'))`]);
          await new Promise((resolve) => server.stdout?.once('data', resolve));
          const ask = (localPort: number, waitMs: number): Promise<Result> => lab.runAtPeer([process.execPath, '-e', `
            require('node:net').connect({ port: 8080, host: '${own()}', localPort: ${String(localPort)} }).on('data', (d) => { console.log(String(d)); process.exit(); });
            setTimeout(() => process.exit(), ${String(waitMs)})`]);
          assert.equal((await ask(UNDECIDED_PORT, AT_ONCE_MS)).stdout, '');
          assert.equal((await ask(ANSWER_PORT, PATIENCE_MS)).stdout, 'served\n');
        });

        test('the kernel reports its multicast membership', async () => {
          const [group, key] = family === 4 ? ['239.1.2.3', 'other/2'] : ['ff05::123', 'icmp6/143'];
          const before = (await lab.peer.counts()).of(key);
          const member = lab.spawn([process.execPath, '-e', `
            const socket = require('node:dgram').createSocket('udp${String(family)}');
            socket.bind(6000, () => { socket.addMembership('${group}'${family === 4 ? '' : ", '::%eth0'"}); console.log('joined'); })`]);
          await new Promise((resolve) => member.stdout?.once('data', resolve));
          await until('a report', async () => ((await lab.peer.counts()).of(key) === before ? null : true));
          member.kill();
        });

        test('programs of this machine reach each other, on loopback and on the machine\'s own address', async () => {
          for (const address of [family === 4 ? '127.0.0.1' : '::1', own()]) {
            assert.equal((await connect(address, UNDECIDED_PORT)).text, 'ECONNREFUSED');
          }
        });

        test('a flushed filter table opens nothing: what is refused does not leave', async () => {
          await rules.change(backend, '-t filter -F');
          await held(peer(), REFUSED_PORT);
          await udp(peer(), REFUSED_PORT, 'flushed');
          assert.equal(await arrived('flushed'), 0);
          assert.equal((await lab.peer.counts()).of(`syn${six}/${String(REFUSED_PORT)}`), 0);
          await rules.apply(backend, decided);
        });

        test('a rule of the administrator that clears marks opens nothing', async () => {
          await rules.change(backend, '-t mangle -A OUTPUT -j MARK --set-mark 0');
          assert.equal((await connect(peer(), REFUSED_PORT)).text, 'ECONNREFUSED');
          await udp(peer(), REFUSED_PORT, 'cleared');
          assert.equal(await arrived('cleared'), 0);
          await rules.change(backend, '-t mangle -D OUTPUT -j MARK --set-mark 0');
        });

        test('while the rules are applied again and again no undecided datagram leaves', async () => {
          const flood = lab.spawn([process.execPath, '-e', `
            const socket = require('node:dgram').createSocket('udp${String(family)}');
            const send = () => socket.send('lab-tag:flood;', ${String(UNDECIDED_PORT)}, '${peer()}', () => setImmediate(send));
            send(); console.log('sending')`]);
          await new Promise((resolve) => flood.stdout?.once('data', resolve));
          for (let round = 0; round < REAPPLY_ROUNDS; round += 1) await rules.apply(backend, round % 2 === 0 ? stateful : decided);
          flood.kill();
          assert.equal(await arrived('flood'), 0);
        });

        test('without kernel programs: what is undecided is held, and an answer to a peer that spoke first passes', async () => {
          await rules.apply(backend, stateful);
          await held(peer(), ALLOWED_PORT);
          await udp(peer(), ALLOWED_PORT, 'stateful');
          const server = lab.spawn([process.execPath, '-e', `
            const socket = require('node:dgram').createSocket('udp${String(family)}');
            socket.on('message', (m, from) => socket.send('lab-tag:answer;', from.port, from.address, () => process.exit()));
            socket.bind(5000, () => console.log('listening'))`]);
          await new Promise((resolve) => server.stdout?.once('data', resolve));
          const asked = await lab.runAtPeer([process.execPath, '-e', `
            const socket = require('node:dgram').createSocket('udp${String(family)}');
            socket.on('message', () => process.exit(0)); socket.send('ask', 5000, '${own()}');`], { timeoutMs: PATIENCE_MS });
          assert.equal(asked.status, 0);
          assert.deepEqual([await arrived('stateful'), await arrived('answer')], [0, 1]);
          await rules.apply(backend, decided);
        });

        test('with bypass and nobody on the queue the undecided leave, and the refused do not', async () => {
          await rules.apply(backend, { ...decided, bypass: true });
          assert.equal((await connect(peer(), UNDECIDED_PORT)).text, 'connected');
          assert.equal((await connect(peer(), REFUSED_PORT)).text, 'ECONNREFUSED');
          await rules.apply(backend, decided);
        });
      });
    }

    test('a DHCP request leaves from port 68 to a server nearby, and to nowhere else', async () => {
      await udp(lab.peer4, 67, 'dhcp', 'root', 68);
      await udp('198.18.0.1', 67, 'dhcp-far', 'root', 68);
      await udp(lab.peer4, 67, 'dhcp-other-port', 'root', 69);
      await udp(lab.peer4, ALLOWED_PORT, 'dhcp-barrier');
      await there('dhcp-barrier');
      assert.deepEqual(
        [await arrived('dhcp'), await arrived('dhcp-far'), await arrived('dhcp-other-port'), await arrived('dhcp-barrier')], [1, 0, 0, 1]);
    });

    test('a false source over loopback does not make the kernel carry a payload out in an ICMPv6 error', async () => {
      const reflect = (tag: string): Promise<Result> =>
        lab.run([attack, 'reflect6', lab.peer6, lab.client6, '4444', `lab-tag:${tag};`]);
      await reflect('reflected');
      await udp(lab.peer6, ALLOWED_PORT, 'reflect-barrier');
      await there('reflect-barrier');
      assert.deepEqual([await arrived('reflected'), await arrived('reflect-barrier')], [0, 1]);
      await rules.remove(backend);
      await reflect('without-rules');
      await udp(lab.peer6, ALLOWED_PORT, 'open-barrier');
      await there('open-barrier');
      assert.deepEqual([await arrived('without-rules'), await arrived('open-barrier')], [1, 1], 'the attack itself no longer works');
    });
  });
}
