/** Reads database files one after the other into the same memory: there are thousands, and each is looked at once. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const LIMIT_BYTES = 64 * 1024 * 1024;
/** Kept between two files; what a larger one needed is given back. */
const KEPT_BYTES = 1024 * 1024;
const NOTHING = Buffer.alloc(0);

let memory = Buffer.allocUnsafeSlow(KEPT_BYTES);

/** The whole file, valid until the next call; empty where it is not there, cannot be read or is larger than 64 MiB. */
export function readScratch(path: string): Buffer {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return NOTHING;
  }
  try {
    const { size } = fstatSync(file);
    if (size > LIMIT_BYTES) return NOTHING;
    if (memory.length > KEPT_BYTES) memory = Buffer.allocUnsafeSlow(KEPT_BYTES);
    if (size > memory.length) memory = Buffer.allocUnsafeSlow(size);
    let length = 0;
    while (length < size) {
      const count = readSync(file, memory, length, size - length, null);
      if (count === 0) break;
      length += count;
    }
    return memory.subarray(0, length);
  } catch {
    return NOTHING;
  } finally {
    closeSync(file);
  }
}
