/**
 * The first programs of the virtual machine: busybox, the modules that its disk needs, and a script that makes a root folder
 * from this machine's file system (read-only) and memory, and starts the test in it.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { tool, which } from '../../lab/process.ts';
import type { Kernel } from './kernels.ts';

/** Mount tags of the shared folders. */
export const TAGS = { host: 'host', kernel: 'kernel' } as const;
/** Name of the port that the test's results go through. */
export const REPORT_PORT = 'report';

const NEEDED_MODULES = ['virtio_pci', 'virtio_console', '9pnet_virtio', '9p'] as const;
const NINE_P = 'trans=virtio,version=9p2000.L,cache=loose,msize=262144,ro';

/** Modules in the order in which they must be loaded; what is built in is left out. */
function moduleFiles(kernel: Kernel): string[] {
  const files = NEEDED_MODULES.flatMap((name) =>
    tool('modprobe', ['--dirname', kernel.modules, '--set-version', kernel.release, '--show-depends', name])
      .split('\n').map((line) => /^insmod (\S+)/u.exec(line)?.[1]).filter((file) => file !== undefined));
  return [...new Set(files)];
}

function copyModule(file: string, folder: string): string {
  const name = basename(file, '.xz');
  if (file.endsWith('.xz')) writeFileSync(join(folder, name), execFileSync('xz', ['-dc', file], { maxBuffer: 64 << 20 }));
  else copyFileSync(file, join(folder, name));
  return name;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** `shown` are folders that stay at their own place. `command` is all that runs; its end is the machine's. */
function initScript(modules: readonly string[], shown: readonly string[], command: readonly string[]): string {
  return `#!/bin/busybox sh
PATH=/bin
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
${modules.map((name) => `insmod /modules/${name}`).join('\n')}
mkdir -p /host /root
mount -t 9p -o ${NINE_P} ${TAGS.host} /host
mount -t tmpfs -o mode=755 root /root
cd /root
for name in bin sbin lib lib32 lib64 libx32; do
  if [ -L /host/$name ]; then ln -s "$(readlink /host/$name)" $name
  elif [ -d /host/$name ]; then mkdir $name; mount --bind /host/$name $name
  fi
done
mkdir usr etc dev proc sys run tmp var root modules
chmod 1777 tmp
mount --bind /host/usr usr
mount --bind /host/etc etc
${shown.map((folder) => `mkdir -p .${quoted(folder)}; mount --bind /host${quoted(folder)} .${quoted(folder)}`).join('\n')}
mount -t 9p -o ${NINE_P} ${TAGS.kernel} modules
for name in dev proc sys; do mount --move /$name $name; done
ln -s /run var/run
mkdir dev/shm dev/pts
mount -t devpts devpts dev/pts
mount -t cgroup2 cgroup sys/fs/cgroup
mount -t bpf -o mode=700 bpf sys/fs/bpf
printf '%s\\n' '#!/bin/sh' 'exec /sbin/modprobe --dirname /modules "$@"' > run/modprobe
chmod 755 run/modprobe
echo /run/modprobe > proc/sys/kernel/modprobe
ip link set lo up
printf '%s\\n' '#!/bin/sh' 'export PATH=/usr/sbin:/usr/bin:/sbin:/bin' ${quoted(`${command.map(quoted).join(' ')} < /dev/null`)} 'echo "the test ended with status $?"' \\
  'echo o > /proc/sysrq-trigger; while :; do sleep 1; done' > run/init
chmod 755 run/init
exec switch_root /root /run/init
`;
}

function archive(folder: string, path: string): void {
  const names = tool('find', [folder, '-printf', '%P\\n']);
  const bytes = execFileSync('busybox', ['cpio', '-o', '-H', 'newc'], {
    cwd: folder, input: names, maxBuffer: 256 << 20, stdio: ['pipe', 'pipe', 'ignore'],
  });
  writeFileSync(path, bytes);
}

/**
 * Writes the archive to `folder` and gives its path. `command` is what runs in the machine, which sees /usr, /etc and the folders
 * `shown` of this one at their own places.
 */
export function makeInitramfs(kernel: Kernel, folder: string, shown: readonly string[], command: readonly string[]): string {
  const content = join(folder, 'initramfs');
  for (const name of ['bin', 'modules', 'dev', 'proc', 'sys']) mkdirSync(join(content, name), { recursive: true });
  copyFileSync(which('busybox') ?? '', join(content, 'bin/busybox'));
  chmodSync(join(content, 'bin/busybox'), 0o755);
  const modules = moduleFiles(kernel).map((file) => copyModule(file, join(content, 'modules')));
  writeFileSync(join(content, 'init'), initScript(modules, shown, command));
  chmodSync(join(content, 'init'), 0o755);
  const path = join(folder, 'initramfs.cpio');
  archive(content, path);
  rmSync(content, { recursive: true });
  return path;
}
