/** What decides whether the base rules close anything: the helper's word, the kernel command line, and rest after its failures. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { boot, oursInNetfilter, told } from '../lab/boot-scripts.ts';
import { Lab } from '../lab/lab.ts';
import { tool } from '../lab/process.ts';
import { clientOf, noLab, until } from '../integration/support.ts';
import { start, strangers, undecided } from './support-boot.ts';

const TRIES = 100;
const TUNNEL_PORT = '4789';

function setWord(lab: Lab, word: string): void {
  writeFileSync(join(lab.stateDir, 'boot'), word);
}

describe('whether anything is closed', { skip: noLab() }, () => {
  test('only the word "open" opens: a missing file, another word and a link are closed', async () => {
    await using lab = await Lab.create({ startHelper: false });
    const file = join(lab.stateDir, 'boot');
    const closes = async (): Promise<boolean> => {
      await start(lab);
      const closed = oursInNetfilter(lab).length > 0;
      await boot(lab, 'stop');
      return closed;
    };
    assert.equal(await closes(), true, 'missing');
    for (const [word, closed] of [['open\n', false], ['closed\n', true], ['opened\n', true], ['', true], ['\nopen\n', true]] as const) {
      setWord(lab, word);
      assert.equal(await closes(), closed, JSON.stringify(word));
    }
    setWord(lab, 'open\n');
    rmSync(join(lab.folder, 'elsewhere'), { force: true });
    writeFileSync(join(lab.folder, 'elsewhere'), 'open\n');
    rmSync(file);
    symlinkSync(join(lab.folder, 'elsewhere'), file);
    assert.equal(await closes(), true, 'a link');
  });

  test('bastion=off on the kernel command line leaves everything open and says so on the console; a longer word does not', async () => {
    await using lab = await Lab.create({ startHelper: false });
    await start(lab, { commandLine: 'root=/dev/sda1 bastion=off quiet' });
    assert.deepEqual(oursInNetfilter(lab), []);
    assert.match(told(lab), /bastion=off .* nothing is filtered/u);
    assert.equal(existsSync(join(lab.runDir, 'off')), true, 'the helper starts off');
    rmSync(join(lab.runDir, 'off'));
    const said = await start(lab, { commandLine: 'bastion=off' });
    assert.equal(existsSync(join(lab.runDir, 'off')), false, 'but for once only');
    assert.doesNotMatch(said, /nothing is filtered/u);
    assert.notDeepEqual(oursInNetfilter(lab), [], 'after a mode was set it closes as ever');
    await boot(lab, 'stop');
    await start(lab, { commandLine: 'xbastion=off bastion=offer' });
    assert.notDeepEqual(oursInNetfilter(lab), []);
  });

  test('a firewall that was turned off stays so when the unit of the boot is started again', async () => {
    await using lab = await Lab.create({ startHelper: false });
    writeFileSync(join(lab.runDir, 'off'), '');
    await start(lab);
    assert.deepEqual(oursInNetfilter(lab), []);
  });

  test('base rules of iptables for one family alone are no reason to leave the other open', async () => {
    await using lab = await Lab.create({ startHelper: false });
    const without = ['nft'];
    await start(lab, { without });
    tool('nsenter', [`--net=/run/netns/${lab.clientNamespace}`, '--', 'sh', '-c', 'ip6tables -t mangle -F; ip6tables -t mangle -X']);
    await start(lab, { without });
    const ours = oursInNetfilter(lab);
    assert.deepEqual(ours.filter((line) => line === '-A OUTPUT -j BASTION_BOOT').length, 2, ours.join('\n'));
    await boot(lab, 'stop');
    assert.deepEqual(oursInNetfilter(lab), []);
  });

  for (const [way, without] of [['nft', []], ['iptables', ['nft']]] as const) {
    test(`where the root file system is on the network, the kernel's own connections pass, and programs' do not (${way})`, async () => {
      await using lab = await Lab.create({ startHelper: false });
      const tunnelled = async (): Promise<number> => (await lab.peer.counts()).of(`udp/${TUNNEL_PORT}`);
      // A tunnel that comes up speaks of itself: packets of the kernel, from a socket of the kernel.
      const bringUp = (name: string): void => {
        tool('ip', ['-n', lab.clientNamespace, 'link', 'add', name, 'type', 'vxlan', 'id', '7', 'remote', lab.peer4, 'dstport', TUNNEL_PORT]);
        tool('ip', ['-n', lab.clientNamespace, 'link', 'set', name, 'up']);
      };
      await start(lab, { without });
      await lab.peer.watch();
      bringUp('tunnel0');
      const traffic = await strangers(lab);
      for (const one of traffic) await one.total('sent', TRIES, 30_000);
      assert.equal(await tunnelled(), 0, 'as anything else without a network root');
      tool('ip', ['-n', lab.clientNamespace, 'link', 'delete', 'tunnel0']);
      await boot(lab, 'stop');
      for (const one of traffic) await one.end();
      await start(lab, { without, mounts: 'server:/root / nfs4 rw 0 0\n' });
      await lab.peer.watch();
      bringUp('tunnel1');
      const again = await strangers(lab);
      for (const one of again) await one.total('sent', TRIES, 30_000);
      await until('a packet of the tunnel', async () => ((await tunnelled()) > 0 ? true : null));
      assert.deepEqual((await undecided(lab)).filter((key) => key !== `udp/${TUNNEL_PORT}`), []);
      for (const one of again) await one.end();
    });
  }

  test('nobody can close it: people are told what may happen and why', async () => {
    await using lab = await Lab.create({ startHelper: false });
    const { status } = await boot(lab, 'start', { without: ['nft', 'iptables-restore', 'ip6tables-restore'] });
    assert.equal(status, 1);
    assert.match(told(lab), /could not be put in place.*everything may leave/u);
  });
});

describe('what the helper leaves for its absence', { skip: noLab() }, () => {
  test('the word follows the mode and on_failure, for root alone; off and a trial do not change it', async () => {
    await using lab = await Lab.create();
    const file = join(lab.stateDir, 'boot');
    const word = (wanted: string): Promise<true> => until(wanted, () =>
      Promise.resolve(existsSync(file) && readFileSync(file, 'utf8') === `${wanted}\n` ? true : null));
    const client = clientOf(lab);
    await word('closed');
    await client.setMode('learning');
    await word('open');
    await client.setMode('enforcing');
    await word('closed');
    await client.setMode('learning', { confirmSeconds: 600 });
    await client.off();
    await client.setMode('enforcing', { confirmSeconds: 600 });
    await lab.stopHelper();
    await word('closed');
    client.close();
  });
});

describe('at rest', { skip: noLab() }, () => {
  test('closed stays closed as it is while the helper\'s rules are there, and everybody is told the ways out', async () => {
    await using lab = await Lab.create({ defaultAction: 'deny' });
    await lab.stopHelper('SIGKILL');
    const before = oursInNetfilter(lab);
    assert.equal((await boot(lab, 'rest')).status, 0);
    assert.deepEqual(oursInNetfilter(lab), before);
    for (const text of ['undecided|nobody has decided', 'journalctl -u bastion-firewall', 'systemctl reset-failed', 'bastion-rescue']) {
      assert.match(told(lab), new RegExp(text, 'u'));
    }
  });

  test('closed is made so where the rules are gone, and what the person opened stays open', async () => {
    await using lab = await Lab.create({ startHelper: false });
    setWord(lab, 'closed\n');
    await boot(lab, 'rest');
    assert.notDeepEqual(oursInNetfilter(lab), []);
    await boot(lab, 'stop');
    setWord(lab, 'open\n');
    await boot(lab, 'rest');
    assert.deepEqual(oursInNetfilter(lab), []);
    setWord(lab, 'closed\n');
    writeFileSync(join(lab.runDir, 'off'), '');
    await boot(lab, 'rest');
    assert.deepEqual(oursInNetfilter(lab), []);
    assert.match(told(lab), /was off/u);
  });

  test('bastion=off counts for a helper that never came to heed it, and no longer after a mode was set', async () => {
    await using lab = await Lab.create({ startHelper: false });
    await start(lab);
    await boot(lab, 'rest', { commandLine: 'bastion=off' });
    assert.deepEqual(oursInNetfilter(lab), []);
    writeFileSync(join(lab.runDir, 'command-line'), '');
    await boot(lab, 'rest', { commandLine: 'bastion=off' });
    assert.notDeepEqual(oursInNetfilter(lab), []);
  });
});
