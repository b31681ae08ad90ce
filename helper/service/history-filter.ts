/** Activity.Query: the caller's filter as the engine wants it. */
import { BastionError } from '../contract/errors.ts';
import type { FlowFilter } from '../contract/types.ts';
import type { HistoryFilter } from '../ports.ts';

/** Names are compared without the last dot and in small letters, as they are stored; so are IPv6 addresses. */
function hostOf(host: string): string {
  return host.trim().toLowerCase().replace(/\.$/, '');
}

/** More words than these narrow nothing that a person looks for. */
const MOST_WORDS = 8;
const PROTOCOLS: Readonly<Record<string, readonly number[]>> = { tcp: [6], udp: [17], icmp: [1, 58] };

function protocolsOf(word: string): readonly number[] {
  const known = Object.hasOwn(PROTOCOLS, word) ? PROTOCOLS[word] : undefined;
  if (known !== undefined) return known;
  const number = /^\d{1,3}$/.test(word) ? Number(word) : Number.NaN;
  if (!(number <= 255)) throw new BastionError('InvalidArgument', 'protocol: tcp, udp, icmp or a number from 0 to 255');
  return [number];
}

/** Capitals of ASCII count as small letters. */
function wordsOf(search: string): readonly string[] {
  const words = search.split(/\s+/).filter((word) => word !== '').map((word) => word.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase()));
  if (words.length > MOST_WORDS) throw new BastionError('InvalidArgument', `search: at most ${String(MOST_WORDS)} words`);
  return words;
}

/** `uid`: whose flows the caller gets; undefined for everybody's. Empty texts match anything. Throws BastionError InvalidArgument. */
export function historyFilter(filter: FlowFilter, uid: number | undefined): HistoryFilter {
  const { path, application, host, port, action, rule_id: ruleId, since_ms: sinceMs, until_ms: untilMs, verdict, program, destination } = filter;
  const words = wordsOf(filter.search ?? '');
  return {
    ...(uid === undefined ? {} : { uid }),
    ...(path === undefined ? {} : { path }),
    ...(application === undefined || application === '' ? {} : { application }),
    ...(host === undefined || host === '' ? {} : { host: hostOf(host) }),
    ...(port === undefined ? {} : { port }),
    ...(action === undefined ? {} : { action }),
    ...(ruleId === undefined ? {} : { ruleId }),
    ...(sinceMs === undefined ? {} : { sinceMs }),
    ...(untilMs === undefined ? {} : { untilMs }),
    ...(verdict === undefined ? {} : { verdict }),
    ...(filter.protocol === undefined || filter.protocol === '' ? {} : { protocols: protocolsOf(filter.protocol) }),
    ...(program === undefined ? {} : { program }),
    ...(destination === undefined ? {} : { destination: destination.toLowerCase() }),
    ...(words.length === 0 ? {} : { words }),
  };
}
