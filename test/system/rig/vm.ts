/** One virtual machine under QEMU, without the processor's help, so that it also runs where the machine is virtual itself. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { ROOT, tryTool, which } from '../../lab/process.ts';
import { REPORT_PORT, TAGS, makeInitramfs } from './initramfs.ts';
import { noKernels } from './kernels.ts';
import type { Kernel } from './kernels.ts';

const QEMU = 'qemu-system-x86_64';
const MEMORY_MIB = 1536;
const CONSOLE_TAIL_LINES = 100;
/** Program and the Debian package that has it. */
const NEEDED = [[QEMU, 'qemu-system-x86'], ['busybox', 'busybox-static'], ['modprobe', 'kmod'], ['wg', 'wireguard-tools']] as const;

/** Why no machine can be started here or now, for a test's `skip`; false where one can. */
export function noMachine(): string | false {
  const wanted = process.env['BASTION_TEST_SYSTEM'] === 'qemu' || process.env['BASTION_TEST_SIZE'] === 'full';
  if (!wanted) return 'a virtual machine takes minutes: set BASTION_TEST_SYSTEM=qemu';
  if (process.arch !== 'x64') return 'the virtual machine is an x86-64 one';
  const missing = NEEDED.filter(([program]) => which(program) === null).map(([, name]) => name);
  if (missing.length > 0) return `not installed: ${missing.join(', ')}`;
  if (tryTool('busybox', ['sh', '-c', 'busybox --list | grep -qx udhcpd']) === null) return 'not installed: busybox-static';
  return noKernels() ?? false;
}

/** One finding of the program inside. */
export interface Finding {
  readonly name: string;
  /** null: right. Else what was seen, in words. */
  readonly fault: string | null;
  /** For the reader of a log: what was measured. */
  readonly facts: string;
}

/** Words of the program inside, one JSON line each. */
type Line = { readonly finding: Finding } | { readonly done: number };

function qemuArguments(kernel: Kernel, initramfs: string, console: string): string[] {
  const share = (id: string, path: string): string[] => [
    '-fsdev', `local,id=${id},path=${path},security_model=none,readonly=on,multidevs=remap`,
    '-device', `virtio-9p-pci,fsdev=${id},mount_tag=${id}`,
  ];
  return [
    '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-accel', 'tcg', '-cpu', 'max', '-smp', '1',
    '-m', `${String(MEMORY_MIB)}M`, '-kernel', kernel.image, '-initrd', initramfs,
    // The kernel takes the timer of a machine that gets little of the processor for a broken one.
    '-append', 'console=ttyS0 quiet panic=-1 oops=panic mitigations=off no_timer_check',
    '-serial', `file:${console}`, '-device', 'virtio-serial-pci',
    '-chardev', 'stdio,id=report,signal=off', '-device', `virtserialport,chardev=report,name=${REPORT_PORT}`,
    '-object', 'rng-random,id=random,filename=/dev/urandom', '-device', 'virtio-rng-pci,rng=random',
    ...share(TAGS.host, '/'), ...share(TAGS.kernel, kernel.modules),
  ];
}

function tail(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n').slice(-CONSOLE_TAIL_LINES).join('\n') : '';
}

/**
 * Boots the kernel and runs a script of this tree inside with this very Node, as root and on nothing but memory and this
 * machine's files, which it cannot change. Gives the findings as they come. Throws, with the end of the console, when the
 * machine ends before the script has said that it is done, or after `limitMs`.
 */
export async function* runInside(kernel: Kernel, script: string, limitMs: number): AsyncGenerator<Finding> {
  const folder = mkdtempSync(join(tmpdir(), 'bastion-system-'));
  const console = join(folder, 'console');
  const initramfs = makeInitramfs(kernel, folder, [ROOT, dirname(process.execPath)], [process.execPath, join(ROOT, script)]);
  const machine = spawn('nice', ['-n', '19', QEMU, ...qemuArguments(kernel, initramfs, console)], {
    // At the end of its input QEMU would unplug the port, and the program inside would wait for ever.
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const kill = (): void => { machine.kill('SIGKILL'); };
  const limit = setTimeout(kill, limitMs);
  process.once('exit', kill);
  let found = 0;
  try {
    for await (const text of createInterface({ input: machine.stdout })) {
      const line = JSON.parse(text) as Line;
      if ('done' in line) {
        if (line.done !== found) throw new Error(`${String(found)} of ${String(line.done)} findings arrived`);
        return;
      }
      found++;
      yield line.finding;
    }
    throw new Error(`the machine ended early, after ${String(found)} findings:\n${tail(console)}`);
  } finally {
    clearTimeout(limit);
    process.off('exit', kill);
    kill();
    rmSync(folder, { recursive: true, force: true });
  }
}
