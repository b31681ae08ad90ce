/**
 * What the control socket tells of interfaces, zones, containers and sets. The text begins as the one of rust-network-mgr, so that
 * what reads that still finds its lines; the rest follows in sections of its own.
 */
import { jsonText, printable } from './contract/printable.ts';
import type { InterfaceView, ZoneView } from './engine-api.ts';
import type { Container, EngineView, SetView } from './ports.ts';

/** Characters of one section, in which whole rows are told; so a reply has less than 256 KiB. */
const SECTION_LENGTH = 40_000;
/** Elements of one set that are told. */
const ELEMENTS = 256;

/** Everything at one moment. */
export interface NetworkStatus {
  readonly interfaces: readonly InterfaceView[];
  readonly zones: readonly ZoneView[];
  readonly containers: readonly Container[];
  readonly engines: readonly EngineView[];
}

interface Told {
  readonly rows: readonly string[];
  readonly leftOut: number;
}

/** As many of the rows as there is room for, in their order. */
function fitting<T>(all: readonly T[], textOf: (one: T) => string): Told {
  const rows: string[] = [];
  let length = 0;
  for (const one of all) {
    const row = textOf(one);
    length += Buffer.byteLength(row);
    if (length > SECTION_LENGTH) break;
    rows.push(row);
  }
  return { rows, leftOut: all.length - rows.length };
}

function section<T>(title: string, all: readonly T[], textOf: (one: T) => string): string {
  const { rows, leftOut } = fitting(all, textOf);
  const lines = rows.length === 0 && leftOut === 0 ? ['(None)'] : [...rows, ...(leftOut === 0 ? [] : [`(${String(leftOut)} more)`])];
  return [`${title}:`, ...lines.map((line) => `  ${line}`)].join('\n');
}

function list(texts: readonly string[]): string {
  return `[${texts.join(', ')}]`;
}

function containerText({ engine, name, image, state, zone, hostNetwork, addresses }: Container): string {
  const where = hostNetwork ? 'the machine’s own network' : addresses.map(({ network, address, prefixLength }) => `${network} ${address}/${String(prefixLength)}`).join(', ');
  const parts = [`${engine} ${name} (${image}) ${state}`, ...(zone === '' ? [] : [`zone ${zone}`]), ...(where === '' ? [] : [where])];
  return printable(parts.join(', '));
}

function setText({ family, table, set, state, problem, elements }: SetView): string {
  const shown = elements.slice(0, ELEMENTS);
  const more = elements.length - shown.length;
  const content = `${list(shown)}${more === 0 ? '' : ` and ${String(more)} more`}`;
  return printable(`${family} ${table} ${set}: ${state}, ${content}${problem === '' ? '' : `, ${problem}`}`);
}

/** Lines without the last line feed. */
export function statusText({ interfaces, zones, containers, engines }: NetworkStatus): string {
  const placed = containers.flatMap(({ id, addresses }) => addresses.map(({ address }) => ({ id, address })));
  return [
    'Current Status:',
    section('Interfaces', interfaces, ({ name, addresses }) => printable(`${name}: ${list(addresses.map(({ address }) => address))}`)),
    section('Tracked Containers', placed, ({ id, address }) => `${id}: ${address}`),
    section('Zones', zones, (zone) => printable(`${zone.id}: ${list([...zone.interfaces, ...zone.containers].map(({ name }) => name))}`)),
    section('Containers', containers, containerText),
    section('Sets', zones.flatMap(({ sets }) => sets), setText),
    section('Engines', engines, ({ engine, socket, state, problem }) => printable(`${engine} ${socket}: ${state}${problem === '' ? '' : `, ${problem}`}`)),
  ].join('\n');
}

function setRow(zone: string, { family, table, set, version, state, problem, elements, others }: SetView): unknown {
  return {
    zone, name: `${family} ${table} ${set}`, version, state, problem, elements: elements.slice(0, ELEMENTS),
    elements_left_out: Math.max(0, elements.length - ELEMENTS), others,
  };
}

/** One line of JSON without the line feed; the keys are stable. */
export function statusJson({ interfaces, zones, containers, engines }: NetworkStatus): string {
  const sets = zones.flatMap(({ id, sets: kept }) => kept.map((one) => setRow(id, one)));
  const parts: Readonly<Record<string, readonly unknown[]>> = {
    interfaces: interfaces.map(({ name, zone, up, addresses }) => ({ name, zone, up, addresses: addresses.map(({ address }) => address) })),
    zones: zones.map(({ id, interfaces: links, containers: held }) => ({ id, interfaces: links.map(({ name }) => name), containers: held.map(({ name }) => name) })),
    containers: containers.map(({ engine, id, name, image, state, zone, hostNetwork, addresses }) => ({
      engine, id, name, image, state, zone, host_network: hostNetwork, addresses: addresses.map(({ network, address }) => ({ network, address })),
    })),
    sets,
    engines: engines.map(({ engine, socket, state, problem }) => ({ engine, socket, state, problem })),
  };
  const told = Object.entries(parts).map(([name, rows]) => ({ name, ...fitting(rows, (row) => jsonText(row, false)) }));
  const leftOut = jsonText(Object.fromEntries(told.map(({ name, leftOut: count }) => [name, count])), false);
  return `{${told.map(({ name, rows }) => `"${name}":[${rows.join(',')}]`).join(',')},"left_out":${leftOut}}`;
}
