/** DNS messages that pass, and what this machine is set to ask. Types only. */
import type { BootNs, ExecutableId } from '../contract/vocabulary.ts';

/** One DNS message, or a segment of a stream of them, of a socket of this machine from or to port 53, never on loopback. */
export interface DnsMessage {
  readonly direction: 'sent' | 'received';
  /** 6 or 17. */
  readonly protocol: number;
  /** Of the asking socket; 0n cookies and pids where the owner is not known. */
  readonly cookie: bigint;
  readonly pid: number;
  readonly uid: number;
  readonly executable: ExecutableId;
  readonly serverAddress: string;
  readonly serverPort: number;
  readonly localPort: number;
  /** TCP sequence number of the first byte of `payload`; 0 for UDP. */
  readonly sequence: number;
  /** The whole UDP payload, at most 4096 bytes; longer ones are left out. */
  readonly payload: Uint8Array;
  readonly timeNs: BootNs;
}

/** An address that an answer gives for the name that was asked for, by way of aliases too. */
export interface DnsAddress {
  /** Canonical text; a mapped IPv4 address as IPv4. */
  readonly address: string;
  readonly ttlS: number;
}

/** What is read of a DNS message: its one question, and in an answer the addresses for it. */
export interface DnsContent {
  readonly id: number;
  readonly isAnswer: boolean;
  /** What is asked for: lower case, without the last dot. */
  readonly name: string;
  /** Of the question: 1 is A, 28 AAAA. Source: IANA, DNS Parameters. */
  readonly type: number;
  /** At most 64; empty in a question and in an answer that the name is not there. */
  readonly addresses: readonly DnsAddress[];
}

/** Reads one whole message, without the length that goes before it on TCP. Never throws: the bytes are anybody's. */
export type DnsReader = (message: Uint8Array) => DnsContent | 'malformed' | 'truncated';

/** What this machine is set to ask, and knows without asking. */
export interface ResolverConfig {
  /** Is this one of the configured name servers? */
  isServer(address: string): boolean;
  /** Names of /etc/hosts, at most 8. */
  hostNames(address: string): readonly string[];
}
