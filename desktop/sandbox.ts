/** Whether this program runs in Flatpak's sandbox, and what is called otherwise there. */
import { existsSync } from 'node:fs';

type Environment = Readonly<Record<string, string | undefined>>;

/** Source: flatpak-metadata(5), "Instance": the file is there in every sandbox, and no program inside can take it away. */
export function inFlatpak(): boolean {
  return existsSync('/.flatpak-info');
}

/**
 * Do notifications, autostart and the screen's lock go through the portals? As libnotify decides it. Source: libnotify,
 * notify.c: in Flatpak, or where it is told to.
 */
export function usesPortal(environment: Environment): boolean {
  return environment['NOTIFY_IGNORE_PORTAL'] === undefined && (inFlatpak() || environment['NOTIFY_FORCE_PORTAL'] !== undefined);
}

/**
 * The name by which programs outside find an icon of ours. A Flatpak gives the system only icons that are named after it, so
 * ours are there under both names.
 */
export function iconOutside(name: string, sandboxed: boolean = inFlatpak()): string {
  return sandboxed ? name.replace(/^bastion-firewall-/u, 'org.bastionfirewall.Desktop-') : name;
}
