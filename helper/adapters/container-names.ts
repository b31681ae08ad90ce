/** Names of containers, as the paths of their cgroups say them. */

/** Digits of an id that `docker ps` and `podman ps` print. */
const SHORT_ID = 12;
const ID_LENGTH = 64;
const ID = '([0-9a-f]{64})';
const NAME = '([A-Za-z0-9][A-Za-z0-9._-]{0,63})';

/**
 * One folder of a path each. Source: the cgroup drivers systemd and cgroupfs of Docker, Podman, containerd and CRI-O; LXC's
 * lxc.cgroup.pattern; systemd-nspawn(1) and systemd-machined(8).
 */
const FOLDERS: readonly (readonly [RegExp, string])[] = [
  [new RegExp(`^docker-${ID}\\.scope$`, 'u'), 'docker'],
  [new RegExp(`^libpod-${ID}(?:\\.scope)?$`, 'u'), 'podman'],
  [new RegExp(`^cri-containerd-${ID}\\.scope$`, 'u'), 'containerd'],
  [new RegExp(`^crio-${ID}(?:\\.scope)?$`, 'u'), 'cri-o'],
  [new RegExp(`^lxc\\.payload\\.${NAME}$`, 'u'), 'lxc'],
  [new RegExp(`^systemd-nspawn@${NAME}\\.service$`, 'u'), 'systemd-nspawn'],
  [new RegExp(`^machine-${NAME}\\.scope$`, 'u'), 'systemd-machined'],
];
/** A folder whose meaning is that of the folder above it. */
const BELOW: ReadonlyMap<string, readonly [RegExp, string]> = new Map([
  ['docker', [new RegExp(`^${ID}$`, 'u'), 'docker']],
  ['lxc', [new RegExp(`^${NAME}$`, 'u'), 'lxc']],
]);

/** systemd writes other characters of a unit's name as `\xHH`. Source: systemd-escape(1). */
function unescaped(folder: string): string {
  return folder.replaceAll(/\\x([0-9a-f]{2})/gu, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
}

interface Found {
  readonly name: string;
  readonly kind: string;
}

function nameOf(folder: string, above: string): Found | null {
  const below = BELOW.get(above);
  for (const [pattern, kind] of below === undefined ? FOLDERS : [below, ...FOLDERS]) {
    const name = pattern.exec(unescaped(folder))?.[1];
    if (name !== undefined) return { name, kind };
  }
  return null;
}

/** "Container 3f2a9c0b1d2e (docker)" from the text of /proc/PID/cgroup, null where it is none. */
export function containerOf(cgroups: string): string | null {
  const found = findContainer(cgroups);
  if (found === null) return null;
  const { name, kind } = found;
  return `Container ${name.length === ID_LENGTH ? name.slice(0, SHORT_ID) : name} (${kind})`;
}

/** Whole id of a container of Docker or Podman from the text of /proc/PID/cgroup, null where it is none. */
export function containerIdOf(cgroups: string): string | null {
  const found = findContainer(cgroups);
  return found !== null && (found.kind === 'docker' || found.kind === 'podman') ? found.name : null;
}

/**
 * The outermost name counts: what is below it was named inside the container. A user names the folders of his own slice as he
 * likes, so these say nothing.
 */
function findContainer(cgroups: string): Found | null {
  for (const line of cgroups.split('\n')) {
    // Hierarchy number, controllers, path. Source: cgroups(7).
    const path = /^\d+:[^:]*:(\/.*)$/u.exec(line)?.[1];
    if (path === undefined || path.startsWith('/user.slice/')) continue;
    const folders = path.split('/');
    for (const [index, folder] of folders.entries()) {
      const name = nameOf(folder, folders[index - 1] ?? '');
      if (name !== null) return name;
    }
  }
  return null;
}
