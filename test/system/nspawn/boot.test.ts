/** The first moments of a system: what leaves before the helper runs, and with bastion=off. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FULL_SIZE, until } from '../../integration/support.ts';
import { mustHold } from '../../must-hold.ts';
import { noSystem } from './image.ts';
import { BOOT_UNIT, HELPER_UNIT, SystemMachine } from './machine.ts';
import { allowedWorks, attached, load, seconds, spread, staysSilent } from './support.ts';
import { ALLOWED } from './root.ts';

const BOOTS = FULL_SIZE ? 20 : 2;
/** What gets a machine its addresses: DHCP, DHCPv6, router solicitation. */
const ADDRESS_KEYS = ['udp/67', 'udp6/547', 'icmp6/133'];

interface Times {
  /** From the start of the unit to rules in place. */
  readonly rulesUs: number;
  /** From systemd's first moment to a helper that is ready. */
  readonly readyUs: number;
}

async function times(machine: SystemMachine): Promise<Times> {
  const boot = await machine.unit(BOOT_UNIT, 'ExecMainStartTimestampMonotonic', 'ExecMainExitTimestampMonotonic', 'Result');
  const network = await machine.unit('rig-network.service', 'ExecMainStartTimestampMonotonic');
  const probe = await machine.unit('rig-undecided.service', 'ExecMainStartTimestampMonotonic');
  const helper = await machine.unit(HELPER_UNIT, 'ActiveEnterTimestampMonotonic');
  const begun = Number((await machine.must(['systemctl', 'show', '--property=UserspaceTimestampMonotonic', '--value'])).trim());
  const closedUs = Number(boot.ExecMainExitTimestampMonotonic);
  assert.equal(boot.Result, 'success');
  assert.ok(Number(probe.ExecMainStartTimestampMonotonic) < Number(network.ExecMainStartTimestampMonotonic), 'the probe sends before there is a network');
  assert.ok(closedUs <= Number(network.ExecMainStartTimestampMonotonic), 'the rules are there before the network');
  return { rulesUs: closedUs - Number(boot.ExecMainStartTimestampMonotonic), readyUs: Number(helper.ActiveEnterTimestampMonotonic) - begun };
}

describe('a system with systemd, while it starts', { skip: noSystem() }, () => {
  test('lets nothing out before policy but what gets it an address; then an allowed program works', async (t) => {
    // It empties the ruleset when it loads its own.
    await using machine = await SystemMachine.create({ enable: ['nftables.service'] });
    const found: Times[] = [];
    let rounds = 0;
    for (let boot = 0; boot < BOOTS; boot++) {
      await machine.boot();
      await staysSilent(machine, `boot ${String(boot + 1)}`);
      const { counts } = await machine.leaked();
      for (const key of ADDRESS_KEYS) assert.ok(counts.of(key) > 0, `${key} arrives`);
      found.push(await times(machine));
      await attached(machine);
      await allowedWorks(machine, 'after the boot');
      assert.ok((await machine.leaked()).counts.keys.has('icmp6/135'), 'the neighbour is asked for');
      assert.doesNotMatch(await machine.must(['nft', 'list', 'ruleset']), /bastion_boot/u, 'the helper has taken the base rules away');
      assert.match(await machine.must(['bastionctl', 'doctor']), /^Nothing is wrong\.$/mu);
      rounds += machine.probe().rounds;
      await machine.powerOff();
    }
    const rules = spread(found.map(({ rulesUs }) => rulesUs));
    const ready = spread(found.map(({ readyUs }) => readyUs));
    t.diagnostic(found.map(({ rulesUs, readyUs }) => `${seconds(rulesUs)} and ${seconds(readyUs)}`).join(', '));
    mustHold({
      id: 'system-boot', claim: 'Boot: a probe that sends from the first moment gets nothing out before policy',
      size: `${String(BOOTS)} boots, ${String(rounds)} rounds of TCP, UDP and ping over IPv4 and IPv6`, undecided: 0,
      figures: [`from the start of the boot unit to rules: ${rules}`, `from systemd's start to a helper that is ready: ${ready} (${load()})`],
    });
  });

  test('is as open as its settings say, from the next start on', async () => {
    await using machine = await SystemMachine.started();
    await staysSilent(machine, 'closed at first');
    const settings = await machine.must(['cat', '/etc/bastion/bastion.toml']);
    machine.put('/etc/bastion/bastion.toml', `on_failure = "open"\n${settings}`, 0o640);
    await machine.must(['systemctl', 'reload', HELPER_UNIT]);
    await until('the word for the next start', async () => ((await machine.run(['cat', '/var/lib/bastion/boot'])).stdout === 'open\n' ? true : null), 30_000);
    await machine.powerOff();
    assert.doesNotMatch(machine.console(), /its helper was stopped/u, 'the end of the machine is no stop by a person');
    await machine.boot();
    assert.match(await machine.journal(BOOT_UNIT), /Nothing is closed/u);
    await machine.peer.watch();
    await staysSilent(machine, 'with the helper');
  });

  test('bastion=off on the kernel command line leaves the network open, and the console says so', async () => {
    await using machine = await SystemMachine.started({ commandLine: 'quiet bastion=off' });
    await until('packets of the undecided program', async () => ((await machine.leaked()).undecided.length > 0 ? true : null), 30_000);
    assert.match(machine.console(), /bastion=off/u);
    assert.match(await machine.must(['bastionctl', 'status']), /^State: +off/mu);
    assert.deepEqual(await machine.allowed(ALLOWED), [0, 0, 0, 0]);
    await machine.must(['bastionctl', 'mode', 'enforcing']);
    await machine.peer.watch();
    await staysSilent(machine, 'turned on again');
  });
});
