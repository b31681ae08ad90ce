/** org.bastionfirewall.Helper1.Activity: what was decided, lately and live. */
import { string } from '../contract/codec.ts';
import { BastionError } from '../contract/errors.ts';
import { ACTIONS, INTERFACES } from '../contract/names.ts';
import { explanation, flowFilter, flowInfo, packetInfo, subscribeOptions, totalsInfo } from '../contract/types.ts';
import type { FlowInfo, PacketInfo } from '../contract/types.ts';
import type { EngineApi, FlowRecord } from '../engine-api.ts';
import type { PacketRecord } from '../ports.ts';
import type { Caller } from './callers.ts';
import { method } from './method.ts';
import type { Call, ServedInterface } from './method.ts';
import { Batches } from './batches.ts';
import { applicationName, clipped, protocolName } from './text.ts';
import { totalsRows } from './totals.ts';
import { UNKNOWN_UID, cursor, id, limit, name, rows } from './wire-types.ts';

/** Live listeners of one user, and in all. */
export const SUBSCRIBER_LIMITS = { perUid: 8, overall: 64 } as const;

/** A flow as the contract tells it. */
export function flowRow(record: FlowRecord): FlowInfo {
  const { tuple, decision } = record;
  return {
    id: record.id,
    time_ms: record.timeMs,
    application: record.forwardedFrom === null ? applicationName(record.path) : clipped(record.forwardedFrom),
    path: clipped(record.path ?? ''),
    uid: record.uid ?? UNKNOWN_UID,
    pid: record.pid ?? 0,
    ...(record.forwardedFrom === null ? {} : { forwarded_from: clipped(record.forwardedFrom) }),
    source_address: tuple.sourceAddress,
    source_port: tuple.sourcePort,
    address: tuple.destinationAddress,
    port: tuple.destinationPort,
    protocol: protocolName(tuple),
    host: clipped(record.host ?? ''),
    names: record.names.map(({ name }) => name),
    name_sources: record.names.map(({ source }) => source),
    interface: record.interfaceName,
    length: record.lengthBytes,
    action: decision.action,
    reason: decision.reason,
    rule_id: decision.ruleId ?? '',
    confidence: record.confidence,
    evidence: record.evidence,
  };
}

/** A packet as the contract tells it. */
export function packetRow(record: PacketRecord, timeMs: number): PacketInfo {
  const { tuple } = record;
  return {
    time_ms: timeMs,
    source_address: tuple.sourceAddress,
    source_port: tuple.sourcePort,
    address: tuple.destinationAddress,
    port: tuple.destinationPort,
    protocol: protocolName(tuple),
    length: record.lengthBytes,
    interface: record.interfaceName,
  };
}

interface Subscriber {
  readonly caller: Caller;
  /** Everybody's flows, not only the caller's own. */
  readonly everybody: boolean;
  readonly packets: boolean;
}

/** Sends one batch of rows of a signal to one connection. */
export type SendRows = (receiver: string, member: string, rows: readonly unknown[]) => void;

export interface ActivityDeps {
  readonly engine: EngineApi;
  readonly send: SendRows;
  /** Is this connection still there? */
  isThere(callerName: string): boolean;
  setPacketTrace(on: boolean): void;
}

/** The interface and the signals behind it. */
export class Activity {
  readonly #deps: ActivityDeps;
  readonly #subscribers = new Map<string, Subscriber>();
  readonly #flows: Batches<FlowInfo>;
  readonly #packets: Batches<PacketInfo>;
  #tracing = false;

  constructor(deps: ActivityDeps) {
    this.#deps = deps;
    this.#flows = new Batches((receiver, batch) => {
      deps.send(receiver, 'FlowsObserved', batch.map((row) => flowInfo.encode(row)));
    });
    this.#packets = new Batches((receiver, batch) => {
      deps.send(receiver, 'PacketsObserved', batch.map((row) => packetInfo.encode(row)));
    });
  }

  get served(): ServedInterface {
    return {
      name: INTERFACES.activity,
      methods: { ...this.#readMethods(), ...this.#liveMethods() },
      properties: {},
      signals: { FlowsObserved: 'aa{sv}', PacketsObserved: 'aa{sv}' },
    };
  }

  /** Rows that were left out because a listener's queue was full. */
  get lost(): number {
    return this.#flows.lost + this.#packets.lost;
  }

  get subscribers(): number {
    return this.#subscribers.size;
  }

  observeFlows(records: readonly FlowRecord[]): void {
    if (this.#subscribers.size === 0) return;
    for (const record of records) {
      const row = flowRow(record);
      for (const one of this.#subscribers.values()) {
        if (one.everybody || record.uid === one.caller.uid) this.#flows.add(one.caller.name, row);
      }
    }
  }

  observePackets(records: readonly PacketRecord[], timeMs: number): void {
    for (const one of this.#subscribers.values()) {
      if (!one.packets) continue;
      for (const record of records) this.#packets.add(one.caller.name, packetRow(record, timeMs));
    }
  }

  /** The connection has ended, or wants no more. False when it was no subscriber. */
  remove(callerName: string): boolean {
    this.#flows.forget(callerName);
    this.#packets.forget(callerName);
    const was = this.#subscribers.delete(callerName);
    this.#trace();
    return was;
  }

  close(): void {
    this.#subscribers.clear();
    this.#flows.close();
    this.#packets.close();
    this.#trace();
  }

  #readMethods(): ServedInterface['methods'] {
    return {
      Query: method({
        input: [flowFilter, limit, cursor],
        names: ['filter', 'limit', 'cursor'],
        output: [rows(flowInfo), string],
        cost: (caller, filter) => (filter.uid === undefined || filter.uid === caller.uid ? null : ACTIONS.viewAll),
        run: async (call, filter, count, from) => {
          const uid = filter.uid ?? ((await call.allows(ACTIONS.viewAll)) ? undefined : call.caller.uid);
          const wanted = { ...(filter.path === undefined ? {} : { path: filter.path }), ...(uid === undefined ? {} : { uid }) };
          const page = this.#deps.engine.flows(wanted, count, from);
          return [page.rows.map(flowRow), page.next];
        },
      }),
      Explain: method({
        input: [id],
        names: ['flow'],
        output: [explanation],
        cost: (caller, flow) => (this.#deps.engine.flow(flow)?.uid === caller.uid ? null : ACTIONS.viewAll),
        run: (_call, flow) => [this.#deps.engine.explain(flow)],
      }),
      Totals: method({
        input: [name, name],
        names: ['range', 'by'],
        output: [rows(totalsInfo)],
        run: async (call, range, by) => {
          if (range !== 'helper' || by !== 'application') {
            throw new BastionError('NotSupported', "There are totals for the range 'helper' by 'application' only.");
          }
          const everybody = await call.allows(ACTIONS.viewAll);
          return [totalsRows(this.#deps.engine, everybody ? null : call.caller.uid)];
        },
      }),
    };
  }

  #liveMethods(): ServedInterface['methods'] {
    return {
      Subscribe: method({
        input: [subscribeOptions],
        names: ['options'],
        output: [],
        cost: (_caller, options) => (options.packets === true ? ACTIONS.viewAll : null),
        run: async (call, options) => {
          await this.#subscribe(call, options.packets === true);
          return [];
        },
      }),
      Unsubscribe: method({
        input: [],
        names: [],
        output: [],
        run: (call) => {
          this.remove(call.caller.name);
          return [];
        },
      }),
    };
  }

  async #subscribe(call: Call, packets: boolean): Promise<void> {
    const everybody = packets || (await call.allows(ACTIONS.viewAll));
    const { caller } = call;
    // It may have left while polkit was asked; a subscriber without a connection would never be removed.
    if (!this.#deps.isThere(caller.name)) return;
    const others = [...this.#subscribers.values()].filter((one) => one.caller.name !== caller.name);
    const ofUser = others.filter((one) => one.caller.uid === caller.uid).length;
    if (others.length >= SUBSCRIBER_LIMITS.overall || ofUser >= SUBSCRIBER_LIMITS.perUid) {
      throw new BastionError('LimitReached', 'There are too many listeners.');
    }
    this.#subscribers.set(caller.name, { caller, everybody, packets });
    this.#trace();
  }

  #trace(): void {
    const wanted = [...this.#subscribers.values()].some((one) => one.packets);
    if (wanted === this.#tracing) return;
    this.#tracing = wanted;
    this.#deps.setPacketTrace(wanted);
  }
}
