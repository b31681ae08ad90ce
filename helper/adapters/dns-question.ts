/** The name that a DNS query asks for. The bytes are any program's: everything but a plain query is null. */
import { name as wireName } from 'dns-packet';

/** Source: RFC 1035 4.1.1. */
const HEADER_BYTES = 12;
const FLAG_RESPONSE = 0x8000;
const FLAGS_OPCODE = 0x7800;
const NAME_LIMIT = 253;
/** What a host name can hold besides dots, with the underscore of service names; anything else is not shown as a name. */
const HOST_NAME = /^[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/u;

/** Lower case, without the last dot. Null for answers, several questions, other operations, other characters. */
export function dnsQuestion(payload: Uint8Array | null): string | null {
  if (payload === null || payload.length <= HEADER_BYTES) return null;
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  const flags = bytes.readUInt16BE(2);
  if ((flags & (FLAG_RESPONSE | FLAGS_OPCODE)) !== 0 || bytes.readUInt16BE(4) !== 1) return null;
  try {
    const name = wireName.decode(bytes, HEADER_BYTES, { mail: true }).toLowerCase();
    return name.length <= NAME_LIMIT && HOST_NAME.test(name) ? name : null;
  } catch {
    return null;
  }
}
