/** The name that a DNS query asks for. The bytes are any program's: everything but a plain query is null. */
import { queryName } from './dns-message.ts';

/** Lower case, without the last dot. Null for answers, several questions, other operations, other characters. */
export function dnsQuestion(payload: Uint8Array | null): string | null {
  return payload === null ? null : queryName(payload);
}
