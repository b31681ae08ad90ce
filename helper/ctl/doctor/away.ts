/** What holds while the helper is away or hangs: watchdog, the units before and after it, base rules, the word for the next boot, pins. */
import { UNIT, failed, ok, unknown } from './finding.ts';
import type { Finding } from './finding.ts';
import type { Probe } from './probe.ts';

/** What the two units are there for, in words that follow "is masked:". */
const UNITS = [
  ['bastion-firewall-boot.service', 'nothing is closed before the helper has started'],
  ['bastion-firewall-rest.service', 'nobody is told when the helper cannot be started'],
] as const;
const REINSTALL = 'sudo apt-get install --reinstall bastion-firewall';
const RESTART = `sudo systemctl restart ${UNIT}`;
const AS_ROOT = 'run it again with sudo';
const BOOT_WORD = '/var/lib/bastion/boot';
const PINS = '/sys/fs/bpf/bastion';
const OFF = '/run/bastion/off';

async function property(probe: Probe, unit: string, name: string): Promise<string> {
  const { stdout } = await probe.run('systemctl', ['show', `--property=${name}`, '--value', unit]);
  return stdout.trim();
}

async function watchdog(probe: Probe): Promise<Finding> {
  const interval = await property(probe, UNIT, 'WatchdogUSec');
  const name = 'watchdog';
  if (interval === '') return unknown(name, 'cannot be asked for');
  return ['0', 'infinity'].includes(interval)
    ? failed(name, 'is switched off: a helper that hangs is not started again', `sudo systemctl revert ${UNIT} && ${RESTART}`)
    : ok(name, `a helper that hangs is started again after ${interval}`);
}

async function restarts(probe: Probe): Promise<Finding> {
  const count = await property(probe, UNIT, 'NRestarts');
  const name = 'restarts';
  if (!/^\d+$/.test(count)) return unknown(name, 'cannot be asked for');
  return count === '0' ? ok(name, 'none since it was started')
    : unknown(name, `it failed and was started again, ${count} times`, `journalctl -u ${UNIT} -p warning`);
}

async function units(probe: Probe): Promise<readonly Finding[]> {
  return Promise.all(UNITS.map(async ([unit, lost]) => {
    switch (await property(probe, unit, 'LoadState')) {
      case 'loaded': return ok(unit, 'is there');
      case 'masked': return failed(unit, `is masked: ${lost}`, `sudo systemctl unmask ${unit}`);
      case '': return unknown(unit, 'cannot be asked for');
      default: return failed(unit, `cannot be used: ${lost}`, REINSTALL);
    }
  }));
}

async function baseRules(probe: Probe): Promise<Finding> {
  const name = 'base rules';
  if (probe.uid !== 0) return unknown(name, 'only root may look', AS_ROOT);
  const { status } = await probe.run('nft', ['list', 'table', 'inet', 'bastion_boot']);
  if (status === null) return unknown(name, 'nft cannot be run here');
  return status === 0
    ? failed(name, 'the closed rules of the boot are still there, beside those of the helper', 'sudo nft delete table inet bastion_boot')
    : ok(name, 'the rules of the boot have gone');
}

async function bootWord(probe: Probe): Promise<Finding> {
  const found = await probe.readText(BOOT_WORD);
  if (found === 'denied') return unknown(BOOT_WORD, 'may not be looked at', AS_ROOT);
  if (found === 'absent') return unknown(BOOT_WORD, 'is not there: the machine starts closed');
  switch (found.text) {
    case 'closed\n': return ok(BOOT_WORD, 'the machine starts closed');
    case 'open\n': return ok(BOOT_WORD, 'the machine starts open, as mode and on_failure want it');
    default: return failed(BOOT_WORD, 'says neither closed nor open: the machine starts closed', RESTART);
  }
}

async function pins(probe: Probe): Promise<Finding> {
  const name = 'pins';
  if (probe.uid !== 0) return unknown(name, 'only root may look', AS_ROOT);
  const [maps, links] = await Promise.all(['maps', 'links'].map((folder) => probe.names(`${PINS}/${folder}`)));
  // Taken away with the last of them, by a helper that is off or does without the kernel.
  const noneWanted = await probe.facts(OFF) !== 'absent' || await probe.facts(PINS) === 'absent';
  const whole = maps?.includes('settings') === true && links?.includes('on_egress') === true;
  return whole ? ok(name, `${String(maps.length)} maps and ${String(links.length)} links are in ${PINS}`)
    : noneWanted ? unknown(name, 'there are none, as when the firewall is off or cannot use the kernel: bastionctl status')
    : failed(name, `maps or links are missing in ${PINS}: what was decided does not outlive the helper`, RESTART);
}

/** Nothing where systemd does not run; what only a running helper has is looked at only then. */
export async function awayChecks(probe: Probe): Promise<readonly Finding[]> {
  if (typeof await probe.facts('/run/systemd/system') !== 'object') return [];
  const always = [...await units(probe), await bootWord(probe)];
  const active = await probe.run('systemctl', ['is-active', UNIT]);
  if (active.stdout.trim() !== 'active') return always;
  return [...await Promise.all([watchdog(probe), restarts(probe), baseRules(probe), pins(probe)]), ...always];
}
