/** What the helper's work depends on that others run: polkit, the desktop's tray; and lists and history of its own. */
import type { HelperClient } from '../../contract/client.ts';
import { BastionError } from '../../contract/errors.ts';
import type { Finding } from './finding.ts';
import type { Probe } from './probe.ts';

const POLKIT = 'org.freedesktop.PolicyKit1';
/** Source: freedesktop.org, StatusNotifierItem; the name is KDE's everywhere. */
const TRAY = 'org.kde.StatusNotifierWatcher';

/** Names on a bus, those that can be started too; null where that cannot be asked. */
async function busNames(probe: Probe, address: string): Promise<ReadonlySet<string> | null> {
  const { status, stdout } = await probe.run('busctl', [`--address=${address}`, '--no-pager', '--no-legend', 'list']);
  return status === 0 ? new Set(stdout.split('\n').map((line) => line.split(' ')[0] ?? '')) : null;
}

async function polkit(probe: Probe, address: string): Promise<Finding> {
  const name = 'polkit';
  const names = await busNames(probe, address);
  if (names === null) return { name, result: 'unknown', detail: 'cannot be looked up here', remedy: '' };
  return names.has(POLKIT) ? { name, result: 'ok', detail: 'is there', remedy: '' } : {
    name, result: 'failed', detail: 'does not run: only root may see and change anything', remedy: 'sudo apt-get install polkitd',
  };
}

/** `address` of the desktop's own bus; none where nobody is logged in to a desktop. */
async function tray(probe: Probe, address: string | undefined): Promise<readonly Finding[]> {
  if (address === undefined || address === '' || probe.uid === 0) return [];
  const names = await busNames(probe, address);
  if (names === null) return [];
  const name = 'tray';
  return [names.has(TRAY) ? { name, result: 'ok', detail: 'icons are shown', remedy: '' } : {
    name, result: 'unknown', detail: 'no panel shows icons: state and prompts come as windows and notifications only',
    remedy: 'in GNOME: sudo apt-get install gnome-shell-extension-appindicator, then log in again',
  }];
}

export async function surroundings(probe: Probe, systemBus: string, sessionBus: string | undefined): Promise<readonly Finding[]> {
  return [await polkit(probe, systemBus), ...await tray(probe, sessionBus)];
}

/** What a list says is wrong with it, and flows that the history could not take. */
export async function contentFindings(client: HelperClient, historyLost: number): Promise<readonly Finding[]> {
  const lists = await client.listLists().catch((error: unknown) => {
    if (error instanceof BastionError) return [];
    throw error;
  });
  const findings: Finding[] = lists.map(({ id, error, entries }) => ({
    name: `list ${id}`,
    result: error === '' ? 'ok' : 'failed',
    detail: error === '' ? `${String(entries)} entries` : error,
    remedy: error === '' ? '' : `mend what it says, then: bastionctl rules lists update ${id}`,
  }));
  if (historyLost > 0) {
    findings.push({
      name: 'history', result: 'failed', detail: `${String(historyLost)} flows could not be stored since the helper started`,
      remedy: 'make room on the disk of /var/lib/bastion; bastionctl history shows what was stored',
    });
  }
  return findings;
}
