/** Writes `inbound` and `allow` of one `[[zone]]` into the text of bastion.toml; everything else stays byte for byte. */
import { isDeepStrictEqual } from 'node:util';
import type { AllowedInbound, Settings, ZoneSettings } from '../../ports.ts';
import { areSameSettings, readSettings } from './settings.ts';
import { findBlock, lineEnding, setKey } from './splice.ts';
import { tomlString } from './text.ts';

/** What a zone shall let in. */
export type ZoneInboundEdit = Pick<ZoneSettings, 'inbound' | 'inboundAllow'>;

function entryText({ service, ports, protocol, application, from }: AllowedInbound): string {
  if (service !== undefined && application === undefined && from === undefined) return tomlString(service);
  const portText = ports?.map(({ first, last }) => (first === last ? String(first) : `${String(first)}-${String(last)}`)).join(',');
  const keys = [['service', service], ['port', portText], ['protocol', protocol], ['application', application], ['from', from]] as const;
  return `{ ${keys.flatMap(([key, value]) => (value === undefined ? [] : [`${key} = ${tomlString(value)}`])).join(', ')} }`;
}

function allowText(allowed: readonly AllowedInbound[], eol: string): string {
  const line = `[${allowed.map(entryText).join(', ')}]`;
  return line.length <= 100 ? line : `[${eol}${allowed.map((one) => `  ${entryText(one)},${eol}`).join('')}]`;
}

/** `before`: the zone as the text has it; null where it has no `[[zone]]` of that name. */
export function withInbound(text: string, name: string, edit: ZoneInboundEdit, before: ZoneSettings | null): string {
  const eol = lineEnding(text);
  const block = findBlock(text, 'zone', 'name', name);
  const allow = edit.inboundAllow.length === 0 ? null : allowText(edit.inboundAllow, eol);
  if (block === null || before === null) {
    const gap = text === '' || text.endsWith('\n') ? '' : eol;
    const lines = ['[[zone]]', `name = ${tomlString(name)}`, `inbound = ${tomlString(edit.inbound)}`, ...(allow === null ? [] : [`allow = ${allow}`])];
    return `${text}${gap}${text === '' ? '' : eol}${lines.join(eol)}${eol}`;
  }
  let changed = text.slice(block.start, block.end);
  if (edit.inbound !== before.inbound) changed = setKey(changed, ['inbound'], tomlString(edit.inbound), 1);
  if (!isDeepStrictEqual(edit.inboundAllow, before.inboundAllow)) changed = setKey(changed, ['allow'], allow, 1);
  return text.slice(0, block.start) + withSets(changed, before) + text.slice(block.end);
}

/** The block with the sets that it had: whether they have names by themselves may depend on what else it says. */
function withSets(block: string, before: ZoneSettings): string {
  const result = readSettings(block);
  const now = result.ok ? result.settings.zones?.[0] : undefined;
  if (now === undefined) return block;
  return (['set4', 'set6'] as const).reduce((text, key) => (now[key] === before[key] ? text : setKey(text, [key], tomlString(before[key]), 1)), block);
}

/** Are the settings `after` what `before` was with this edit? */
export function isInboundAsMeant(before: Settings, after: Settings, name: string, edit: ZoneInboundEdit): boolean {
  const { zones = [] } = before;
  const edited = after.zones?.find((zone) => zone.name === name);
  if (edited === undefined) return false;
  const isThere = zones.some((zone) => zone.name === name);
  const meant = isThere ? zones.map((zone) => (zone.name === name ? { ...zone, ...edit } : zone)) : [...zones, { ...edited, ...edit }];
  return areSameSettings(after, { ...before, zones: meant });
}
