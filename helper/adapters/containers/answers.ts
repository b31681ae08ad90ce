/** Answers of an engine, as far as they are used. Source: Docker Engine API 1.41 and later; Podman's compatible API. */
import ipaddr from 'ipaddr.js';
import * as z from 'zod';
import type { ContainerAddress } from '../../ports.ts';
import { ENGINE_LIMITS } from './limits.ts';
import type { SeenContainer } from './messages.ts';

/** A container with this label belongs to that zone. */
export const ZONE_LABEL = 'org.bastionfirewall.zone';
const LABEL_CHARACTERS = 64;
/** The newest version of the API, 1.47, whose answers are known. */
const KNOWN_MINOR = 47;
const ID = /^[0-9a-f]{64}$/;
/** A network mode that begins so names the container whose network it is. */
const SHARED = 'container:';
/** Addresses that nobody sends from, whatever an engine says. */
const UNUSABLE = ['unspecified', 'loopback', 'multicast', 'broadcast'];

/** What changes which containers run, and where. `remove`, `died` and `cleanup` are Podman's own words. */
const EVENTS = new Set([
  'start', 'restart', 'stop', 'die', 'died', 'kill', 'oom', 'pause', 'unpause', 'rename', 'update', 'destroy', 'remove', 'cleanup', 'restore', 'connect', 'disconnect',
]);

const versionAnswer = z.object({ ApiVersion: z.string().regex(/^1\.\d{1,3}$/), MinAPIVersion: z.string().regex(/^1\.\d{1,3}$/).optional() });
const address = z.object({
  IPAddress: z.string().nullish(), IPPrefixLen: z.number().nullish(), GlobalIPv6Address: z.string().nullish(), GlobalIPv6PrefixLen: z.number().nullish(),
});
const containerAnswer = z.object({
  Id: z.string().regex(ID),
  Name: z.string().nullish(),
  State: z.object({ Running: z.boolean().nullish(), Paused: z.boolean().nullish() }),
  Config: z.object({ Image: z.string().nullish(), Labels: z.record(z.string(), z.unknown()).nullish() }),
  HostConfig: z.object({ NetworkMode: z.string().nullish() }).nullish(),
  NetworkSettings: z.object({ Networks: z.record(z.string(), address.nullish()).nullish() }).nullish(),
});
const eventLine = z.object({
  Type: z.enum(['container', 'network']),
  Action: z.string(),
  Actor: z.object({ ID: z.string().nullish(), Attributes: z.object({ container: z.string().nullish() }).nullish() }),
});

/** The newest version of the API that both sides know, as a path begins; null for what is no engine's answer. */
export function versionPrefix(answer: unknown): string | null {
  const read = versionAnswer.safeParse(answer);
  if (!read.success) return null;
  const minor = (version: string): number => Number(version.slice('1.'.length));
  const known = Math.min(minor(read.data.ApiVersion), KNOWN_MINOR);
  return `/v1.${String(Math.max(known, minor(read.data.MinAPIVersion ?? '1.0')))}`;
}

/** The container of an event that matters; null for every other line. */
export function containerOfEvent(line: string): string | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return null;
  }
  const read = eventLine.safeParse(value);
  if (!read.success || !EVENTS.has(read.data.Action)) return null;
  const { ID: actor, Attributes: attributes } = read.data.Actor;
  // Docker names the container of a network's event in an attribute, Podman as the actor.
  const id = attributes?.container ?? actor ?? '';
  return ID.test(id) ? id : null;
}

/** A container that runs or is paused, 'gone' for one that does not, null for what is no description of this container. */
export function containerOf(answer: unknown, id: string): SeenContainer | 'gone' | null {
  const read = containerAnswer.safeParse(answer);
  if (!read.success || read.data.Id !== id) return null;
  const { Name, State, Config, HostConfig, NetworkSettings } = read.data;
  // Docker calls a paused container running, Podman does not.
  const isPaused = State.Paused === true;
  if (State.Running !== true && !isPaused) return 'gone';
  const mode = HostConfig?.NetworkMode ?? '';
  const networks = Object.entries(NetworkSettings?.Networks ?? {}).slice(0, ENGINE_LIMITS.networks).sort(([a], [b]) => (a < b ? -1 : 1));
  const label = Config.Labels?.[ZONE_LABEL];
  return {
    id,
    name: bounded((Name ?? '').replace(/^\//u, ''), ENGINE_LIMITS.nameCharacters),
    image: bounded(Config.Image ?? '', ENGINE_LIMITS.imageCharacters),
    state: isPaused ? 'paused' : 'running',
    label: typeof label === 'string' ? bounded(label, LABEL_CHARACTERS) : null,
    hostNetwork: mode === 'host',
    networkOf: mode.startsWith(SHARED) ? bounded(mode.slice(SHARED.length), ENGINE_LIMITS.nameCharacters) : null,
    networks: networks.map(([name]) => bounded(name, ENGINE_LIMITS.nameCharacters)),
    addresses: mode === 'host' ? [] : networks.flatMap(([name, one]) => addressesOf(bounded(name, ENGINE_LIMITS.nameCharacters), one)).slice(0, ENGINE_LIMITS.addresses),
  };
}

function addressesOf(network: string, one: z.infer<typeof address> | null | undefined): ContainerAddress[] {
  const pairs = [[one?.IPAddress, one?.IPPrefixLen], [one?.GlobalIPv6Address, one?.GlobalIPv6PrefixLen]] as const;
  return pairs.flatMap(([text, prefix]) => {
    if (text === undefined || text === null || !isAddress(text)) return [];
    const parsed = ipaddr.process(text);
    const longest = parsed.kind() === 'ipv4' ? 32 : 128;
    const isPrefix = typeof prefix === 'number' && Number.isInteger(prefix) && prefix > 0 && prefix <= longest;
    return UNUSABLE.includes(parsed.range()) ? [] : [{ network, address: parsed.toString(), prefixLength: isPrefix ? prefix : longest }];
  });
}

function isAddress(text: string): boolean {
  return ipaddr.IPv4.isValidFourPartDecimal(text) || (!text.includes('%') && ipaddr.IPv6.isValid(text));
}

/** Never half a character. */
function bounded(text: string, characters: number): string {
  return text.slice(0, characters).toWellFormed();
}
