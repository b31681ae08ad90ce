/** Flows into rows. Everything happens inside the transaction that the caller has begun. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { FlowEnd, FlowRecord } from '../../engine-api.ts';
import { Buckets } from './buckets.ts';
import { KnownRows } from './known-rows.ts';
import { FLAG, FLOW_COLUMNS } from './stored-flow.ts';
import { ancestorsJson, identityJson, namesJson } from './stored-json.ts';

const BASE = 36;
/** Longest text of one column: paths and command lines end before, nothing else should come near. */
const TEXT_LIMIT = 8192;

/** What the history may keep of names. */
export interface WriterOptions {
  /** false: destinations are stored by address alone, and no name of the look-ups. */
  readonly names: boolean;
}

function clipped(text: string): string {
  return text.length <= TEXT_LIMIT ? text : text.slice(0, TEXT_LIMIT);
}

function flagsOf(flow: FlowRecord): number {
  return (flow.answersPeer === true ? FLAG.answersPeer : 0)
    + (flow.isLookup === true ? FLAG.isLookup : 0)
    + (flow.lineage === 'kernel' ? FLAG.kernelLineage : 0)
    + (flow.lineage === 'procfs' ? FLAG.procfsLineage : 0)
    + (flow.origin === 'kernel' ? FLAG.kernelOrigin : 0)
    + (flow.origin === 'forwarded' ? FLAG.forwardedOrigin : 0);
}

/** `count` placeholders. */
function places(count: number): string {
  return Array.from({ length: count }, () => '?').join(', ');
}

export class Writer {
  readonly #insert: StatementSync;
  readonly #end: StatementSync;
  readonly #programs: KnownRows;
  readonly #destinations: KnownRows;
  readonly #lineages: KnownRows;
  readonly #texts: KnownRows;
  readonly buckets: Buckets;

  constructor(database: DatabaseSync) {
    this.#insert = database.prepare(`INSERT OR REPLACE INTO flows (${FLOW_COLUMNS}) VALUES (${places(FLOW_COLUMNS.split(',').length)})`);
    this.#end = database.prepare('UPDATE flows SET ended_ms = ?, sent_bytes = ?, received_bytes = ? WHERE number = ?');
    this.#programs = new KnownRows(database, { table: 'programs', unique: ['identity'], more: ['path', 'label'], tracked: true });
    this.#destinations = new KnownRows(
      database, { table: 'destinations', unique: ['address', 'port', 'protocol', 'names'], more: ['target'], tracked: true },
    );
    this.#lineages = new KnownRows(database, { table: 'lineages', unique: ['ancestors'], more: [], tracked: true });
    this.#texts = new KnownRows(database, { table: 'texts', unique: ['text'], more: [], tracked: true });
    this.buckets = new Buckets(database);
  }

  /** Rows that were changed by somebody else since (taken out, rolled back) are looked up again. */
  forget(): void {
    for (const rows of [this.#programs, this.#destinations, this.#lineages, this.#texts]) rows.forget();
    this.buckets.forget();
  }

  /** Stores flows, and counts them in their minute, hour and day. */
  add(flows: readonly FlowRecord[], { names }: WriterOptions): void {
    for (const flow of flows) this.#flow(flow, names);
    this.buckets.flush();
  }

  /** Of flows that are not stored any more nothing is. */
  end(ends: readonly FlowEnd[]): void {
    for (const { id, endedMs, sentBytes, receivedBytes } of ends) this.#end.run(endedMs, sentBytes, receivedBytes, Number.parseInt(id.slice(1), BASE));
  }

  #flow(flow: FlowRecord, withNames: boolean): void {
    const { tuple, timeMs, decision } = flow;
    const number = Number.parseInt(flow.id.slice(1), BASE);
    const names = withNames ? flow.names : [];
    const target = names[0]?.name ?? tuple.destinationAddress;
    const path = clipped(flow.identity?.path ?? flow.path ?? '');
    const label = clipped(flow.forwardedFrom ?? '');
    const text = (value: string): number => this.#texts.id([clipped(value)], [], number);
    const program = this.#programs.id([this.#programText(flow)], [path, label], number);
    const destination = this.#destinations.id(
      [tuple.destinationAddress, tuple.destinationPort, tuple.protocol, namesJson(names)], [target], number,
    );
    const ancestors = flow.ancestors ?? [];
    this.#insert.run(
      number, timeMs, program,
      ancestors.length === 0 ? null : this.#lineages.id([ancestorsJson(ancestors)], [], number),
      destination, text(tuple.sourceAddress), tuple.sourcePort, flow.uid, flow.pid, text(flow.interfaceName), flow.lengthBytes,
      text(decision.action), text(decision.reason), decision.ruleId === null ? null : text(decision.ruleId),
      flow.nextRuleId === null ? null : text(flow.nextRuleId),
      text(flow.confidence), text(flow.evidence), text(flow.command ?? ''), flagsOf(flow),
      flow.endedMs ?? null, flow.sentBytes ?? null, flow.receivedBytes ?? null,
    );
    this.buckets.count(
      { path, label, uid: flow.uid, target, port: tuple.destinationPort, protocol: tuple.protocol }, timeMs, decision.action === 'allow',
    );
  }

  #programText(flow: FlowRecord): string {
    const identity = flow.identity ?? { path: flow.path };
    return JSON.stringify({ identity: identityJson(identity), claimedPath: flow.claimedPath ?? null, forwardedFrom: flow.forwardedFrom, ...(flow.containers === undefined ? {} : { containers: flow.containers }) });
  }
}
