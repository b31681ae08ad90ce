/** Copies of DNS messages as the data path hands them over. */
import type { DnsMessage } from '../../helper/ports.ts';
import { NAME_SERVER } from './engine-support.ts';
import { owner } from './prompt-support.ts';

/** A copy of a UDP message of the program of `owner()`, sent or received. */
export function copy(direction: 'sent' | 'received', payload: Uint8Array, timeNs: bigint, change: Partial<DnsMessage> = {}): DnsMessage {
  const { cookie, pid, uid, executable } = owner();
  return {
    direction, protocol: 17, cookie, pid, uid, executable, serverAddress: NAME_SERVER, serverPort: 53, localPort: 40_000,
    sequence: 0, payload, timeNs, ...change,
  };
}
