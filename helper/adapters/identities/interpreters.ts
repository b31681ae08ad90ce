/**
 * Which programs run scripts of others, and which file their command line makes them run. An option that is not known to be
 * harmless means that there is no script: the code may be somewhere else then.
 */

/** How the command line of an interpreter is read. other: its scripts are not looked for. */
type Family = 'python' | 'perl' | 'ruby' | 'shell' | 'node' | 'java' | 'php' | 'lua' | 'other';

const VERSION = '(?:-?[0-9][0-9.]*)?';

const NAMES: readonly (readonly [RegExp, Family])[] = [
  [new RegExp(`^(?:python|pypy)${VERSION}[a-z]*$`, 'u'), 'python'],
  [new RegExp(`^perl${VERSION}$`, 'u'), 'perl'],
  [new RegExp(`^(?:ruby|jruby|truffleruby)${VERSION}$`, 'u'), 'ruby'],
  [/^(?:ba|da|a|z|k|mk|lk|ok|pdk|ya|po|rba)?sh(?:-?[0-9][0-9.]*|-static)?$/u, 'shell'],
  [new RegExp(`^(?:node|nodejs)${VERSION}$`, 'u'), 'node'],
  [/^java$/u, 'java'],
  [new RegExp(`^php(?:-cli)?${VERSION}$`, 'u'), 'php'],
  [new RegExp(`^lua${VERSION}$`, 'u'), 'lua'],
  [new RegExp(
    `^(?:deno|bun|luajit|tclsh|wish|expect|guile|julia|Rscript|R|gjs|gjs-console|seed|electron|fish|csh|tcsh|bsd-csh|elvish|nu|xonsh|awk|gawk|mawk|nawk|original-awk|pwsh|mono|mono-sgen|dotnet|wine|wine64|wineloader|busybox|toybox|gdb|vim\\.[a-z0-9]+|emacs|emacs-[a-z]+|racket|sbcl|clisp|ocaml|erl|beam\\.smp|elixir|escript|groovy|scala|qjs|d8|php-cgi|php-fpm|osascript|systemd-run)${VERSION}$`,
    'u',
  ), 'other'],
];

function familyOf(path: string): Family | null {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return NAMES.find(([pattern]) => pattern.test(name))?.[1] ?? null;
}

/** Does the program at this verified path run scripts of others? */
export function isInterpreter(path: string): boolean {
  return familyOf(path) !== null;
}

/** A shell, which starts other programs. */
export function isShell(path: string): boolean {
  return familyOf(path) === 'shell';
}

/** What one word of the command line says. stop: no script. skip: the next word belongs to it. script: it is the next word. */
type Word = 'on' | 'skip' | 'script' | 'operands' | 'stop';

type Reader = (word: string) => Word;

/** Letters that may stand together behind one hyphen. */
function letters(pattern: RegExp): Reader {
  return (word) => (pattern.test(word) ? 'on' : 'stop');
}

const readPython: Reader = (word) => {
  if (word === '-W' || word === '-X') return 'skip';
  // -i goes on with standard input when the script has ended; -c and -m run something else.
  return /^-(?:[bBdEIOPqRsSuvx]+|[bBdEIOPqRsSuvx]*[WX].+)$/u.test(word) ? 'on' : 'stop';
};

const readShell: Reader = (word) => {
  if (word === '-' || word === '--') return 'operands';
  if (word === '--posix' || word === '--norc' || word === '--noprofile') return 'on';
  if (/^[-+][abefhkmnptuvxBCEHPT]*[oO]$/u.test(word)) return 'skip';
  return /^[-+][abefhkmnptuvxBCEHPT]+$/u.test(word) ? 'on' : 'stop';
};

const NODE_FLAGS = new RegExp(`^--(?:${[
  'no-warnings', 'no-deprecation', 'throw-deprecation', 'trace-warnings', 'trace-deprecation', 'trace-uncaught', 'trace-exit',
  'enable-source-maps', 'expose-gc', 'expose_gc', 'pending-deprecation', 'preserve-symlinks', 'zero-fill-buffers', 'no-addons',
  'disable-proto=[a-z]+', 'unhandled-rejections=[a-z-]+', 'max-old-space-size=[0-9]+', 'max_old_space_size=[0-9]+',
  'max-semi-space-size=[0-9]+', 'max-http-header-size=[0-9]+', 'stack-size=[0-9]+', 'stack-trace-limit=[0-9]+',
  'dns-result-order=[a-z0-9]+', 'disable-warning=[A-Za-z0-9_]+', 'use-openssl-ca', 'use-system-ca', 'use-bundled-ca',
  'permission', 'allow-fs-read=.+', 'experimental-strip-types', 'experimental-sqlite', 'no-experimental-[a-z-]+', 'jitless', 'abort-on-uncaught-exception',
].join('|')})$`, 'u');

const JAVA_FLAGS = new RegExp(`^(?:${[
  '-X(?:ms|mx|ss|mn)[0-9]+[kKmMgG]?', '-(?:ea|da|esa|dsa|server|client|showversion)', '-XX:[+-]Use[A-Za-z0-9]+',
  '-XX:[A-Za-z]+(?:Size|Ratio|Percentage|Threads)=[0-9.]+[kKmMgG]?', '--enable-native-access=[A-Za-z0-9.,_-]+',
  '--add-(?:opens|exports|modules)=[A-Za-z0-9.,_/=-]+', '-splash:.*',
].join('|')})$`, 'u');
/** Other properties may name code: of the launcher, the library or the program. */
const JAVA_PLAIN_PROPERTY = /^-D(?:file\.encoding|user\.(?:language|country|timezone)|java\.awt\.headless)=/u;

const readJava: Reader = (word) => {
  if (word === '-jar') return 'script';
  if (word.startsWith('-D')) return JAVA_PLAIN_PROPERTY.test(word) ? 'on' : 'stop';
  return JAVA_FLAGS.test(word) ? 'on' : 'stop';
};

const READERS: Readonly<Record<Exclude<Family, 'other'>, Reader>> = {
  python: readPython,
  perl: (word) => (word === '--' ? 'operands' : letters(/^-(?:[wWXtTnpas]+|l[0-7]*|0[0-7]*)$/u)(word)),
  ruby: (word) => (word === '--' ? 'operands' : letters(/^-(?:[wUnpals]+|W[0-2]?)$/u)(word)),
  shell: readShell,
  node: (word) => (word === '--' ? 'operands' : letters(NODE_FLAGS)(word)),
  java: readJava,
  php: (word) => (word === '-f' ? 'script' : letters(/^-[qn]$/u)(word)),
  lua: (word) => (word === '--' ? 'operands' : letters(/^-[EW]$/u)(word)),
};

/** The first word that is no option; null where the code is elsewhere. */
function operandOf(words: readonly string[], read: Reader): { readonly at: number; readonly named: boolean } | null {
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    if (word === '' || (!/^[-+]/u.test(word))) return word === '' ? null : { at, named: false };
    switch (read(word)) {
      case 'on': break;
      case 'skip': at += 1; break;
      case 'script': return { at: at + 1, named: true };
      case 'operands': return { at: at + 1, named: false };
      case 'stop': return null;
    }
  }
  return null;
}

/** Is this word a file for that interpreter, and not a word of its own, a URL or a class? */
function isFileWord(family: Family, word: string, named: boolean): boolean {
  if (word === '' || word === '-' || word.includes('://') || word.startsWith('/dev/') || word.startsWith('/proc/')) return false;
  switch (family) {
    case 'node': return word !== 'inspect' && word !== 'debug';
    case 'java': return named || word.endsWith('.java');
    case 'php': return named || !word.startsWith('-');
    case 'python': case 'perl': case 'ruby': case 'shell': case 'lua': return true;
    case 'other': return false;
  }
}

/** A command line as the kernel or /proc tells it. */
export interface CommandLine {
  /** The program's own name first. */
  readonly words: readonly string[];
  /** There was more than was kept. */
  readonly truncated: boolean;
}

/**
 * The word of the command line that names the script which the interpreter at `path` runs, as it stands there; null where it
 * runs code from elsewhere, or where that cannot be told for certain.
 */
export function scriptOperand(path: string, { words, truncated }: CommandLine): string | null {
  const family = familyOf(path);
  const [own = '', ...rest] = words;
  if (family === null || family === 'other') return null;
  // A login shell reads files of its user first.
  if (family === 'shell' && own.startsWith('-')) return null;
  const operand = operandOf(rest, READERS[family]);
  if (operand === null || (truncated && operand.at >= rest.length - 1)) return null;
  const word = rest[operand.at] ?? '';
  return isFileWord(family, word, operand.named) ? word : null;
}
