/** Recorded flows as files for other programs. Sources: RFC 4180; OWASP, "CSV Injection". */
import { UNKNOWN_UID } from './names.ts';
import { jsonText, printable } from './printable.ts';
import type { FlowInfo } from './types.ts';

export const FLOW_FORMATS = ['csv', 'json'] as const;
export type FlowFormat = (typeof FLOW_FORMATS)[number];

/** JSON of a flow; the keys are stable. */
export function flowJson(flow: FlowInfo): unknown {
  return {
    id: flow.id, time_ms: flow.time_ms, application: flow.application, path: flow.path, uid: flow.uid, pid: flow.pid,
    source_address: flow.source_address, source_port: flow.source_port, address: flow.address, port: flow.port,
    protocol: flow.protocol, host: flow.host, names: flow.names, name_sources: flow.name_sources, interface: flow.interface, length: flow.length, action: flow.action,
    reason: flow.reason, rule_id: flow.rule_id, confidence: flow.confidence, evidence: flow.evidence,
    direction: flow.direction, ended_ms: flow.ended_ms, sent_bytes: flow.sent_bytes, received_bytes: flow.received_bytes,
    container: flow.container, image: flow.image,
  };
}

/** Columns of the CSV, stable for scripts; new ones come last. */
const COLUMNS: readonly (readonly [string, (flow: FlowInfo) => string | number])[] = [
  ['id', (flow) => flow.id],
  ['time', (flow) => new Date(flow.time_ms).toISOString()],
  ['action', (flow) => flow.action],
  ['reason', (flow) => flow.reason],
  ['rule', (flow) => flow.rule_id],
  ['application', (flow) => flow.application],
  ['path', (flow) => flow.path],
  ['uid', (flow) => (flow.uid === UNKNOWN_UID ? '' : flow.uid)],
  ['pid', (flow) => flow.pid],
  ['source_address', (flow) => flow.source_address],
  ['source_port', (flow) => flow.source_port],
  ['address', (flow) => flow.address],
  ['port', (flow) => flow.port],
  ['protocol', (flow) => flow.protocol],
  ['host', (flow) => flow.host],
  ['interface', (flow) => flow.interface],
  ['confidence', (flow) => flow.confidence],
  ['evidence', (flow) => flow.evidence],
  ['direction', (flow) => flow.direction ?? ''],
  ['ended', (flow) => (flow.ended_ms === undefined ? '' : new Date(flow.ended_ms).toISOString())],
  ['sent_bytes', (flow) => flow.sent_bytes ?? ''],
  ['received_bytes', (flow) => flow.received_bytes ?? ''],
  ['container', (flow) => flow.container ?? ''],
  ['image', (flow) => flow.image ?? ''],
];

/** With one of these, also of full width, a spreadsheet takes the cell for a formula. */
const FORMULA = /^\s*[=+\-@\uff1d\uff0b\uff0d\uff20]/;
/** Some take a semicolon for the end of a cell. */
const QUOTED = /[",;\s]/;

function csvCell(value: string | number): string {
  if (typeof value === 'number') return String(value);
  const text = printable(value);
  const harmless = FORMULA.test(text) ? `'${text}` : text;
  return QUOTED.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

/** One line with its end. What could act on a terminal is escaped, what could be a formula begins with an apostrophe. */
function csvLine(cells: readonly (string | number)[]): string {
  return `${cells.map(csvCell).join(',')}\r\n`;
}

/** What goes before, between and after the flows. */
export interface FlowWriter {
  readonly head: string;
  readonly row: (flow: FlowInfo, isFirst: boolean) => string;
  readonly tail: string;
}

const WRITERS: Readonly<Record<FlowFormat, FlowWriter>> = {
  csv: {
    head: csvLine(COLUMNS.map(([name]) => name)),
    row: (flow) => csvLine(COLUMNS.map(([, cell]) => cell(flow))),
    tail: '',
  },
  json: { head: '[', row: (flow, isFirst) => `${isFirst ? '' : ','}\n${jsonText(flowJson(flow), false)}`, tail: '\n]\n' },
};

export function flowWriter(format: FlowFormat): FlowWriter {
  return WRITERS[format];
}
