/** Reads what `rules import` is given, never more than one import takes. */
import { constants } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { WIRE_LIMITS } from '../../contract/names.ts';
import { RefusedError } from '../errors.ts';

/** Import takes 1 MiB. */
const LIMIT_BYTES = WIRE_LIMITS.textLength;
const MOST_FILES = 4000;
const IN_PARTS = 'import it in parts';

/** One text for one call, made of one or several files. */
export interface ForeignFiles {
  readonly text: string;
  /** The file and line of a line of `text`; `file` and `line` as they are where it is one file. */
  placeOf(file: string, line: number): { readonly file: string; readonly line: number };
  readonly fromStdin: boolean;
}

interface Part {
  readonly name: string;
  readonly text: string;
}

/** A file, a folder, or `-`. Throws RefusedError for what is too large, unreadable or no text. */
export async function readForeignFiles(path: string): Promise<ForeignFiles> {
  if (path === '-') return { text: await readInput(), placeOf: asIs, fromStdin: true };
  const found = await stat(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  if (found.isDirectory()) return readFolder(path);
  return { text: await readText(path, path, LIMIT_BYTES), placeOf: asIs, fromStdin: false };
}

/** Standard input to its end: a pipe, a file, a terminal, or the socket that some programs give as a pipe. */
async function readInput(): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const part of process.stdin) {
      const read = Buffer.from(part as Uint8Array);
      bytes += read.length;
      if (bytes > LIMIT_BYTES) break;
      parts.push(read);
    }
  } catch (error: unknown) {
    throw unreadable('standard input', error);
  }
  if (bytes > LIMIT_BYTES) throw tooLarge('standard input');
  return textOf(Buffer.concat(parts), 'standard input');
}

function asIs(file: string, line: number): { readonly file: string; readonly line: number } {
  return { file, line };
}

function unreadable(path: string, error: unknown): RefusedError {
  return new RefusedError(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`, 'check its name and rights', { cause: error });
}

function tooLarge(what: string): RefusedError {
  return new RefusedError(`${what} has more than ${String(LIMIT_BYTES / 1024)} KiB, which is what one import takes.`, IN_PARTS);
}

/** Whole text of at most `limit` bytes; a longer one is refused by its size, or after `limit` bytes where it has none. */
async function readText(path: string, shown: string, limit: number): Promise<string> {
  return textOf(await readBytes(path, shown, limit), shown);
}

function textOf(bytes: Buffer, shown: string): string {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    if (!text.includes('\0')) return text;
  } catch {
    // Told below.
  }
  throw new RefusedError(`${shown} is no text in UTF-8.`, 'check that it is the right file');
}

async function readBytes(path: string, shown: string, limit: number): Promise<Buffer> {
  try {
    await using file = await open(path, constants.O_RDONLY);
    const stats = await file.stat();
    if (stats.isFile() && stats.size > limit) throw tooLarge(shown);
    const buffer = Buffer.alloc(limit + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, null);
      length += bytesRead;
      if (bytesRead === 0 || length === buffer.length) break;
    }
    if (length > limit) throw tooLarge(shown);
    return buffer.subarray(0, length);
  } catch (error: unknown) {
    throw error instanceof RefusedError ? error : unreadable(shown, error);
  }
}

/** Files of JSON become one list, in the order of their names; rule files are put one behind the other. */
async function readFolder(folder: string): Promise<ForeignFiles> {
  const names = (await readdir(folder).catch((error: unknown) => {
    throw unreadable(folder, error);
  })).filter((name) => !name.startsWith('.')).sort();
  const json = names.filter((name) => name.endsWith('.json'));
  const chosen = json.length > 0 ? json : names.filter((name) => name.endsWith('.toml'));
  if (chosen.length === 0) throw new RefusedError(`${folder} has no .json and no .toml files.`, 'name a file');
  if (chosen.length > MOST_FILES) throw new RefusedError(`${folder} has more than ${String(MOST_FILES)} files.`, IN_PARTS);
  const parts: Part[] = [];
  let left = LIMIT_BYTES - chosen.length * 3 - 4;
  for (const name of chosen) {
    const text = await readText(join(folder, name), left < LIMIT_BYTES / 2 ? folder : join(folder, name), Math.max(left, 0));
    left -= Buffer.byteLength(text);
    parts.push({ name: basename(name), text: text.replace(/^\u{feff}/u, '') });
  }
  return json.length > 0 ? merged(parts, '[\n', '\n,\n', '\n]') : merged(parts, '', '\n', '\n');
}

function merged(parts: readonly Part[], before: string, between: string, after: string): ForeignFiles {
  const starts: { readonly name: string; readonly line: number }[] = [];
  let line = 1 + lineBreaks(before);
  for (const { name, text } of parts) {
    starts.push({ name, line });
    line += lineBreaks(text) + lineBreaks(between);
  }
  return {
    text: before + parts.map(({ text }) => text).join(between) + after,
    fromStdin: false,
    placeOf(file, at) {
      const start = starts.findLast((one) => one.line <= at) ?? starts[0];
      return start === undefined ? { file, line: at } : { file: start.name, line: Math.max(at - start.line + 1, 1) };
    },
  };
}

function lineBreaks(text: string): number {
  return text.split('\n').length - 1;
}
