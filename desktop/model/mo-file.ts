/**
 * Compiled catalogues. Read here, because the package that makes them brings half a megabyte of character sets along.
 * Source: GNU gettext manual, "The Format of GNU MO Files". Pure.
 */

const MAGIC = 0x950412de;
const HEADER_BYTES = 20;
const ENTRY_BYTES = 8;
/** Far more than any catalogue has. */
const ENTRIES_LIMIT = 100_000;
const SEPARATOR = '\0';

/** Key (context + U+0004 + text, or the text alone) -> its forms, '' for one that is not translated. Throws RangeError on a file that is not one. */
export function readMo(bytes: Uint8Array): ReadonlyMap<string, readonly string[]> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = view.getUint32(0, true) === MAGIC;
  if (!little && view.getUint32(0, false) !== MAGIC) throw new RangeError('this is no compiled catalogue');
  const count = view.getUint32(8, little);
  if (count > ENTRIES_LIMIT || bytes.byteLength < HEADER_BYTES + 2 * count * ENTRY_BYTES) throw new RangeError('the catalogue is cut off');
  const decoder = new TextDecoder('utf-8');
  const textAt = (table: number, index: number): string => {
    const length = view.getUint32(table + index * ENTRY_BYTES, little);
    const start = view.getUint32(table + index * ENTRY_BYTES + 4, little);
    if (start + length > bytes.byteLength) throw new RangeError('the catalogue is cut off');
    return decoder.decode(bytes.subarray(start, start + length));
  };
  const [keys, values] = [view.getUint32(12, little), view.getUint32(16, little)];
  const found = new Map<string, readonly string[]>();
  for (let index = 0; index < count; index += 1) {
    const [key = ''] = textAt(keys, index).split(SEPARATOR);
    found.set(key, textAt(values, index).split(SEPARATOR));
  }
  return found;
}
