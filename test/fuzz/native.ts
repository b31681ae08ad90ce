/** The native targets: which there are, how they are built, and one run of one. Source: LLVM's libFuzzer manual. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { finish, ROOT, tryTool } from '../lab/process.ts';
import type { Result } from '../lab/process.ts';
import { CORPUS, FINDINGS, NEW_CORPUS, SEED } from './options.ts';

/** Each target of test/fuzz/native with the sources of native/src that it is linked with, and the longest input. */
export const NATIVE_TARGETS: Readonly<Record<string, { readonly sources: readonly string[]; readonly maxBytes: number }>> = {
  packet: { sources: ['packet.cpp'], maxBytes: 512 },
  links: { sources: ['link_message.cpp'], maxBytes: 1024 },
  'sock-diag': { sources: ['sock_diag.cpp'], maxBytes: 1024 },
  netfilter: { sources: ['netfilter_watch.cpp', 'legacy_tables.cpp', 'common.cpp'], maxBytes: 512 },
  queue: { sources: ['packet.cpp'], maxBytes: 1024 },
  held: { sources: ['held.cpp', 'common.cpp'], maxBytes: 512 },
  rings: { sources: ['kernel_load.cpp', 'pins.cpp', 'pin_mend.cpp', 'lineage.cpp', 'processes.cpp', 'file_identity.cpp', 'common.cpp'], maxBytes: 8192 },
  lineage: { sources: ['lineage.cpp', 'pins.cpp', 'processes.cpp', 'file_identity.cpp', 'common.cpp'], maxBytes: 4096 },
  processes: { sources: ['file_identity.cpp', 'common.cpp'], maxBytes: 4096 },
};

const SOURCES = join(ROOT, 'test/fuzz/native');
const OUT = join(ROOT, 'build/fuzz/native');
const JOBS = 2;
/** The leak detector needs rights that a container may lack; what leaks shows by the limit on memory. */
const ENVIRONMENT = { ...process.env, ASAN_OPTIONS: 'detect_leaks=0', UBSAN_OPTIONS: 'print_stacktrace=1' };
const COMPILE_MS = 300_000;
/** Far beyond what any input takes: only one that never ends takes as long on a busy machine. */
const HANG_S = 60;
const MEMORY_MB = 1024;
const FLAGS = ['-g', '-O1', '-fsanitize=address,undefined', '-fno-sanitize-recover=undefined', '-fno-omit-frame-pointer', '-Wno-unused-function'];
/** Targets reach what the classes keep to themselves. */
const CPP = ['-std=c++20', '-fno-access-control'];
const LIBRARIES = ['-lbpf', '-lnetfilter_queue', '-lmnl', '-lpthread'];

/** Why no native target can be built here; null if they can. */
export function missingForNative(): string | null {
  if (tryTool('clang++', ['--version']) === null) return 'clang is not installed';
  const library = tryTool('clang++', ['-print-runtime-dir'])?.trim() ?? '';
  const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  const isThere = [join(library, `libclang_rt.fuzzer-${machine}.a`), join(library, 'libclang_rt.fuzzer.a'), join(library, '../linux', `libclang_rt.fuzzer-${machine}.a`)].some((path) => existsSync(path));
  return isThere ? null : 'libclang-rt-dev is not installed';
}

async function compile(compiler: string, args: readonly string[], output: string): Promise<void> {
  const child = spawn(compiler, [...args, '-o', `${output}.tmp`], { stdio: ['pipe', 'pipe', 'pipe'] });
  const { status, stderr } = await finish(child, undefined, COMPILE_MS);
  if (status !== 0) throw new Error(`${compiler} ${args.join(' ')} failed:\n${stderr}`);
  renameSync(`${output}.tmp`, output);
}

async function eachOf<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  const left = [...items];
  await Promise.all(Array.from({ length: JOBS }, async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  }));
}

/** Of everything that goes into the programs. */
function digest(): string {
  const hash = createHash('sha256').update(JSON.stringify([NATIVE_TARGETS, FLAGS, CPP, LIBRARIES, tryTool('clang++', ['--version'])]));
  for (const file of globSync(['native/**/*.{c,h,cpp,hpp}', 'test/fuzz/native/*'], { cwd: ROOT }).sort()) hash.update(file).update(readFileSync(join(ROOT, file)));
  return hash.digest('hex');
}

/** Builds all targets, unless they are there already. */
export async function buildNativeTargets(): Promise<void> {
  const stamp = join(OUT, 'digest');
  const wanted = digest();
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  mkdirSync(OUT, { recursive: true });
  const product = [...new Set(Object.values(NATIVE_TARGETS).flatMap(({ sources }) => sources))].map((name) => join(ROOT, 'native/src', name));
  const own = readdirSync(SOURCES).filter((name) => /\.(?:c|cpp)$/u.test(name)).map((name) => join(SOURCES, name));
  const objectOf = (path: string): string => join(OUT, `${path.startsWith(SOURCES) ? 'target-' : ''}${basename(path)}.o`);
  await eachOf([...product, ...own], (path) => {
    const [compiler, language] = path.endsWith('.c') ? ['clang', []] : ['clang++', CPP];
    return compile(compiler, [...language, ...FLAGS, '-fsanitize=fuzzer-no-link', '-c', path], objectOf(path));
  });
  await eachOf(Object.entries(NATIVE_TARGETS), ([name, { sources }]) => {
    const parts = [join(SOURCES, `${name}.cpp`), ...sources.map((source) => join(ROOT, 'native/src', source))];
    if (name === 'packet') parts.push(join(SOURCES, 'packet-in-kernel.c'));
    return compile('clang++', [...FLAGS, '-fsanitize=fuzzer', ...parts.map(objectOf), ...LIBRARIES], join(OUT, name));
  });
  writeFileSync(stamp, wanted);
}

/** Fuzzes one target for so long, after everything in its corpora. Status 0: nothing was found. */
export function runNative(name: string, seconds: number): Promise<Result> {
  const corpora = [join(NEW_CORPUS, name), join(CORPUS, name)];
  for (const folder of [...corpora, FINDINGS]) mkdirSync(folder, { recursive: true });
  const dictionary = join(SOURCES, `${name}.dict`);
  const options = {
    max_total_time: seconds, seed: SEED, max_len: NATIVE_TARGETS[name]?.maxBytes ?? 0, timeout: HANG_S, rss_limit_mb: MEMORY_MB,
    artifact_prefix: join(FINDINGS, `${name}-`), print_final_stats: 1, verbosity: 0, ...(existsSync(dictionary) ? { dict: dictionary } : {}),
  };
  const args = Object.entries(options).map(([key, value]) => `-${key}=${String(value)}`);
  const child = spawn(join(OUT, name), [...args, ...corpora], { stdio: ['pipe', 'ignore', 'pipe'], env: ENVIRONMENT });
  return finish(child, undefined, (seconds + 2 * HANG_S) * 1000);
}
