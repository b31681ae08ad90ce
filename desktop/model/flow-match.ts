/** Would the helper's list hold this live flow? The same as the helper asks of what it has recorded. */
import { programKey } from '../../helper/contract/program-key.ts';
import type { FlowFilter, FlowInfo } from '../../helper/contract/types.ts';

function asciiLower(text: string): string {
  return text.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** The program of a flow, as `flowFilter.program` finds it. */
export function flowProgram(flow: FlowInfo): string {
  const { path, flatpak, snap, appimage: appImage, script, forwarded_from: forwardedFrom } = flow;
  return programKey({ path, flatpak, snap, appImage, script, forwardedFrom });
}

/** Where a flow went, as `flowFilter.destination` finds it. */
export function flowDestination({ host, address }: FlowInfo): string {
  return host === '' ? address : host;
}

function matchesSearch(flow: FlowInfo, search: string): boolean {
  const { path, forwarded_from: from, flatpak, snap, appimage, script, host, address, rule_id: rule, port } = flow;
  const texts = [path, from, flatpak, snap, appimage, script, host, address, rule].map((text) => asciiLower(text ?? ''));
  const words = asciiLower(search).split(/\s+/).filter((word) => word !== '');
  return words.every((word) => texts.some((text) => text.includes(word)) || (/^\d{1,5}$/.test(word) && Number(word) === port));
}

/** Only the parts of the filter that `wireFilter` sets. */
export function matchesFlow(flow: FlowInfo, filter: FlowFilter): boolean {
  const { uid, verdict, protocol, program, destination, since_ms: sinceMs, until_ms: untilMs, search } = filter;
  return (
    (uid === undefined || flow.uid === uid) &&
    (verdict === undefined || (flow.action === 'allow') === (verdict === 'allowed')) &&
    (protocol === undefined || flow.protocol === protocol) &&
    (program === undefined || flowProgram(flow) === program) &&
    (destination === undefined || flowDestination(flow) === destination) &&
    (sinceMs === undefined || flow.time_ms >= sinceMs) &&
    (untilMs === undefined || flow.time_ms < untilMs) &&
    (search === undefined || matchesSearch(flow, search))
  );
}
