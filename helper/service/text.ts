/** Text from outside on its way to people: dialogs, lists, names. */
import { WIRE_LIMITS } from '../contract/names.ts';
import type { Tuple } from '../contract/vocabulary.ts';

/** Control, format (bidi overrides, zero width) and line separator characters: they can make a text look like another. */
const DECEIVING = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/gu;
const DETAIL_LENGTH = 200;

/** One line for a polkit dialog: short, without characters that deceive or that markup gives a meaning. */
export function forDialog(text: string): string {
  const plain = text.replaceAll(DECEIVING, '\u{fffd}').replaceAll(/[<>&]/gu, '_');
  return plain.length <= DETAIL_LENGTH ? plain : `${plain.slice(0, DETAIL_LENGTH - 1)}…`;
}

/** Cut to what the other side accepts as a text. */
export function clipped(text: string): string {
  return text.length <= WIRE_LIMITS.stringLength ? text : `${text.slice(0, WIRE_LIMITS.stringLength - 1)}…`;
}

/** A program's name for people. */
export function applicationName(path: string | null): string {
  const base = path === null ? '' : path.slice(path.lastIndexOf('/') + 1);
  return base === '' ? 'An unknown program' : clipped(base);
}

/** tcp, udp, icmp, or the IANA number. */
export function protocolName(tuple: Tuple): string {
  return protocolWord(tuple.protocol);
}

/** The same of a number. */
export function protocolWord(protocol: number): string {
  switch (protocol) {
    case 6:
      return 'tcp';
    case 17:
      return 'udp';
    case 1:
    case 58:
      return 'icmp';
    default:
      return String(protocol);
  }
}
