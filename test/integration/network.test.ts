/** The network of a real machine, as the real helper tells it. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HelperClient } from '../../helper/contract/client.ts';
import { Lab } from '../lab/lab.ts';
import { clientOf, noLab, until } from './support.ts';

describe('network on the real helper', { skip: noLab(), timeout: 180_000 }, () => {
  let lab: Lab;
  let client: HelperClient;
  before(async () => {
    lab = await Lab.create();
    client = clientOf(lab);
  });
  after(async () => {
    client.close();
    await lab.dispose();
  });

  /** In the lab's own namespace. */
  function ip(...args: readonly string[]): void {
    execFileSync('ip', ['-netns', lab.clientNamespace, ...args]);
  }

  test('the lab’s interfaces are listed with their addresses, and nothing of the machine outside', async () => {
    const { rows } = await client.listInterfaces(500, '');
    assert.ok(rows.some(({ name, kind }) => name === 'lo' && kind === 'loopback'));
    const outer = rows.find(({ addresses }) => addresses.some(({ address }) => address === lab.client4));
    assert.equal(outer?.up, true);
    assert.ok(outer.addresses.some(({ address, scope }) => address === lab.client6 && scope === 'global'));
    assert.deepEqual(rows.map(({ name }) => name).sort(), ['lo', outer.name].sort());
  });

  test('an interface that comes is told at once, with the zone of bastion.toml', async () => {
    writeFileSync(join(lab.configDir, 'bastion.toml'), '\n[[interface]]\nname = "extra*"\nzone = "attic"\n', { flag: 'a' });
    await client.reload();
    await client.listInterfaces(500, '');
    const told = new Promise<void>((resolve) => { client.on('networkChanged', resolve); });
    ip('link', 'add', 'extra0', 'type', 'veth', 'peer', 'name', 'other0');
    ip('address', 'add', '192.0.2.77/28', 'dev', 'extra0');
    ip('link', 'set', 'extra0', 'up');
    await told;
    const zone = await until('the zone with its address', async () => {
      const { rows } = await client.listZones(10, '');
      return rows[0]?.addresses.includes('192.0.2.77/28') === true ? rows[0] : null;
    });
    assert.equal(zone.id, 'attic');
    assert.deepEqual(zone.interfaces, ['extra0']);
    const { stdout } = await lab.ctl(['network'], { as: 'root' });
    assert.match(stdout, /^extra0 .*attic.*192\.0\.2\.77\/28/m);
  });

  test('an interface without the address that it should have says so until it has it', async () => {
    writeFileSync(join(lab.configDir, 'bastion.toml'), '\n[[interface]]\nname = "fixed0"\nzone = "attic"\naddress = "192.0.2.99"\n', { flag: 'a' });
    await client.reload();
    ip('link', 'add', 'fixed0', 'type', 'veth', 'peer', 'name', 'fixed1');
    ip('link', 'set', 'fixed1', 'up');
    ip('link', 'set', 'fixed0', 'up');
    const problemOf = async (): Promise<string | null> => {
      const { rows } = await client.listInterfaces(500, '');
      const row = rows.find(({ name, connected }) => name === 'fixed0' && connected);
      return row === undefined ? null : row.problem ?? '';
    };
    const missing = await until('the problem', async () => {
      const problem = await problemOf();
      return problem === '' ? null : problem;
    });
    assert.equal(missing, 'The address 192.0.2.99 of bastion.toml is not on this interface.');
    ip('address', 'add', '192.0.2.99/28', 'dev', 'fixed0');
    await until('its end', async () => (await problemOf() === '' ? true : null));
  });

  test('a profile of a zone is active while an interface of the zone is connected, and not when it has gone', async () => {
    writeFileSync(
      join(lab.configDir, 'bastion.toml'),
      '\n[[interface]]\nname = "office*"\nzone = "office"\n\n[[profile]]\nid = "work"\nnetwork = { zone = "office" }\n', { flag: 'a' },
    );
    await client.reload();
    const active = async (): Promise<string> => (await client.network()).profile;
    assert.equal(await active(), '');
    ip('link', 'add', 'office0', 'type', 'veth', 'peer', 'name', 'office-peer');
    ip('link', 'set', 'office-peer', 'up');
    ip('link', 'set', 'office0', 'up');
    ip('address', 'add', '192.0.2.120/28', 'dev', 'office0');
    await until('the profile', async () => (await active() === 'work' ? true : null));
    ip('link', 'delete', 'office0');
    await until('no profile', async () => (await active() === '' ? true : null));
  });

  test('the current network has the lab’s gateway, if it has one', async () => {
    const { gateways, profile } = await client.network();
    assert.equal(profile, '');
    const peers: readonly string[] = [lab.peer4, lab.peer6];
    for (const { address } of gateways) assert.ok(peers.includes(address), address);
  });

  test('ending the safeguard where none is on changes nothing', async () => {
    const { state, mode } = await client.status();
    await client.endSafeguard();
    const after = await client.status();
    assert.deepEqual([after.state, after.mode], [state, mode]);
  });
});

describe('a zone of a hardware address', { skip: noLab(), timeout: 180_000 }, () => {
  test('lets a program out by the interface that has the address, and no longer when another one is there', async () => {
    await using lab = await Lab.create({
      defaultAction: 'deny', rules: '[[rule]]\nid = "trusted"\naction = "allow"\napplication = { path = "/usr/bin/bash", scripts = "all" }\ndestination = { zone = "trusted", port = 7 }\n',
    });
    const client = clientOf(lab);
    const inside = (...args: readonly string[]): string => execFileSync('ip', ['-netns', lab.clientNamespace, ...args], { encoding: 'utf8' });
    const lets = async (): Promise<boolean> => (await lab.run(['/usr/bin/bash', '-c', `exec 3<>/dev/tcp/${lab.peer4}/7`])).status === 0;
    try {
      const { rows } = await client.listInterfaces(500, '');
      const outer = rows.find(({ addresses }) => addresses.some(({ address }) => address === lab.client4));
      assert.ok(outer !== undefined && outer.mac !== '');
      assert.equal(await lets(), false);
      writeFileSync(join(lab.configDir, 'bastion.toml'), `\n[[interface]]\nmac = "${outer.mac}"\nzone = "trusted"\n`, { flag: 'a' });
      assert.deepEqual(await client.reload(), []);
      assert.equal(await lets(), true);
      const zoneOfOuter = async (): Promise<string> => (await client.listInterfaces(500, '')).rows.find(({ name }) => name === outer.name)?.zone ?? '';
      inside('link', 'set', outer.name, 'address', '02:00:00:00:00:77');
      await until('no zone', async () => (await zoneOfOuter() === '' ? true : null));
      await until('the rule to hold no more', async () => (await lets() ? null : true));
      inside('link', 'set', outer.name, 'address', outer.mac);
      await until('the zone', async () => (await zoneOfOuter() === 'trusted' ? true : null));
      await until('the rule to hold again', async () => (await lets() ? true : null));
    } finally {
      client.close();
    }
  });
});
