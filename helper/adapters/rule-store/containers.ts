/** `[containers]` and `[[container]]` of bastion.toml: the engines' sockets, and which zone a container belongs to. */
import type { ContainerSettings, Settings } from '../../ports.ts';
import { FieldReader } from './field-reader.ts';
import { mustMatch, ZONE_NAME } from './interfaces.ts';
import { shown } from './text.ts';
import type { Item, Problem, Section } from './toml.ts';

/** What holds where bastion.toml says nothing: where Docker and Podman listen for root. */
export const DEFAULT_CONTAINERS: ContainerSettings = { docker: '/run/docker.sock', podman: '/run/podman/podman.sock', zones: [] };

export const CONTAINER_TABLES = 256;
const ENGINES = ['docker', 'podman'] as const;
const PATTERNS = ['name', 'image', 'network'] as const;
const PATTERN_LENGTH = 256;
const SOCKET_LENGTH = 1024;
const PRINTABLE = /^[^\p{C}\p{Zl}\p{Zp}]+$/u;

type Mapping = ContainerSettings['zones'][number];

/** What the tables say; no key where there is none of them. `containers` counts only where there is no problem. */
export function readContainers(sections: readonly Section[]): { readonly settings: Pick<Settings, 'containers'>; readonly problems: readonly Problem[] } {
  const sockets = sections.find(({ name, array }) => name === 'containers' && !array);
  const mappings = sections.filter(({ name, array }) => name === 'container' && array);
  if (sockets === undefined && mappings.length === 0) return { settings: {}, problems: [] };
  const problems: Problem[] = [];
  const excess = mappings[CONTAINER_TABLES];
  if (excess !== undefined) problems.push({ ...excess.at, message: `There are at most ${String(CONTAINER_TABLES)} [[container]]. Remove some.` });
  const zones = mappings.slice(0, CONTAINER_TABLES).map((section) => readMapping(section, problems));
  return { settings: { containers: { ...readSockets(sockets, problems), zones } }, problems };
}

function readSockets(section: Section | undefined, problems: Problem[]): Pick<ContainerSettings, 'docker' | 'podman'> {
  const reader = new FieldReader(section?.table ?? new Map<string, Item>(), section?.at ?? { line: 1, column: 1 });
  reader.keys(ENGINES, [], 'containers.');
  const [docker, podman] = ENGINES.map((name) => socketOf(reader, name));
  if (docker !== '' && docker === podman) reader.complainAbout('podman', '"docker" and "podman" name the same socket. Write \'\' for the one that is not there.');
  problems.push(...reader.problems);
  return { docker: docker ?? '', podman: podman ?? '' };
}

function socketOf(reader: FieldReader, name: (typeof ENGINES)[number]): string {
  const text = reader.text(name, SOCKET_LENGTH, true);
  if (text === null || text === '') return text ?? DEFAULT_CONTAINERS[name];
  const parts = text.split('/').slice(1);
  if (!text.startsWith('/') || !PRINTABLE.test(text) || parts.some((part) => part === '' || part === '.' || part === '..')) {
    reader.complainAbout(name, `${shown(text)} is not the absolute path of a socket, without "." and ".." and doubled "/". An empty text switches it off.`);
  }
  return text;
}

function readMapping(section: Section, problems: Problem[]): Mapping {
  const reader = new FieldReader(section.table, section.at);
  reader.keys([...PATTERNS, 'zone'], [], 'container.');
  const patterns: { name?: string; image?: string; network?: string } = {};
  for (const key of PATTERNS) {
    const text = reader.text(key, PATTERN_LENGTH);
    if (text === null) continue;
    if (!PRINTABLE.test(text)) reader.complainAbout(key, `${shown(text)} is no "${key}": it has characters that cannot be seen.`);
    patterns[key] = text;
  }
  if (PATTERNS.every((key) => !reader.has(key))) reader.complainHere('This fits every container. Add "name", "image" or "network"; name = "*" is every one.');
  const zone = mustMatch(reader, section, 'zone', ZONE_NAME, 'the name of a zone: small letters, digits, "_" and "-", at most 32');
  problems.push(...reader.problems);
  return { ...patterns, zone };
}
