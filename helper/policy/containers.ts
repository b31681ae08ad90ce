/** Containers as rules name them, and which ends of a flow a rule looks at. */
import type { ContainerEnd, Rule } from '../contract/vocabulary.ts';

/** Digits of an id that `docker ps` and `podman ps` print. */
const SHORT_ID = 12;

/** Names that a rule can say. Source: Docker, daemon/names (RestrictedNameChars); Podman, libpod/define (NameRegex). */
export const CONTAINER_NAME = /^(?:[A-Za-z0-9][A-Za-z0-9_.-]{0,127}|[A-Za-z0-9][A-Za-z0-9_.-]{0,126}\*|\*)$/;

type Named = Pick<ContainerEnd, 'id' | 'name'>;

/** Is the container the one, or one of those, that `pattern` names? */
export function containerMatches(pattern: string, { id, name }: Named): boolean {
  if (pattern.endsWith('*')) return name.startsWith(pattern.slice(0, -1));
  return pattern === name || pattern === id || (pattern.length === SHORT_ID && id.startsWith(pattern));
}

/** Under which rules for a container are found; those for several have one place in common. */
export function containerKey(pattern: string): string {
  return pattern.endsWith('*') ? 'containers:*' : `container:${pattern}`;
}

/** Every place where a rule for one of these can be. */
export function containerKeys(ends: readonly Named[]): readonly string[] {
  if (ends.length === 0) return [];
  const keys = ends.flatMap(({ id, name }) => [containerKey(name.replaceAll('*', '')), containerKey(id), containerKey(id.slice(0, SHORT_ID))]);
  return [...new Set([...keys, containerKey('*')])];
}

/**
 * Does an allow rule look at what goes into the container? Only where it says so, by the container's very address or by where it
 * comes in: an answer about what a container sends, to its neighbours too, must not open a way into it.
 */
function namesWay({ match: { address, interface: way, zone } }: Rule): boolean {
  return address?.includes('/') === false || way !== undefined || zone !== undefined;
}

/**
 * Is a container that the rule names at an end of the flow? What refuses, or asks, is content with any end and any doubt. What
 * allows wants to know that it is this very container, which sends.
 */
export function matchesContainer(rule: Rule, ends: readonly ContainerEnd[] | undefined): boolean {
  const { container } = rule.match;
  if (container === undefined) return true;
  if (ends === undefined) return false;
  return ends.some((end) => containerMatches(container, end)
    && (rule.action !== 'allow' || (end.certain && (end.side === 'sender' || namesWay(rule)))));
}

/** 0 for the most specific: a name before the beginning of names, and of those the longer one. At most 1. */
export function containerRank(pattern: string): number {
  return pattern.endsWith('*') ? 1 - pattern.length / 1000 : 0;
}

/** Control, format and separator characters, which can make a text look like another. */
const DECEIVING = /[\p{C}\p{Zl}\p{Zp}]/gu;
const SHOWN_CHARACTERS = 64;

/** As people are told of it: "Container web (docker)". */
export function containerText({ name, engine }: Pick<ContainerEnd, 'name' | 'engine'>): string {
  return `Container ${name.replaceAll(DECEIVING, '\u{fffd}').slice(0, SHOWN_CHARACTERS)} (${engine})`;
}

/** The container that is sure to send, if its name is one that a rule can say; null for none. */
export function nameableSender(ends: readonly ContainerEnd[] = []): ContainerEnd | null {
  return ends.find(({ name, side, certain }) => side === 'sender' && certain && !name.endsWith('*') && CONTAINER_NAME.test(name)) ?? null;
}
