/** Memory of a text that was read, given back without waiting for a collection: an idle helper may not collect for long. */

/** Smaller ones may share their memory with others. Source: node, Buffer.poolSize. */
const OWN_BYTES = 1024 * 1024;

/** `bytes` must not be used any more. */
export function release({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength >= OWN_BYTES) buffer.transfer(0);
}
