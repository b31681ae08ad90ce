/** org.bastionfirewall.Helper1.Activity: what was decided, lately and live. */
import { string, u64 } from '../contract/codec.ts';
import { BastionError } from '../contract/errors.ts';
import { ACTIONS, INTERFACES } from '../contract/names.ts';
import { explanation, flowFilter, flowInfo, packetInfo, subscribeOptions, totalsFilter, totalsInfo } from '../contract/types.ts';
import type { FlowInfo, PacketInfo } from '../contract/types.ts';
import { historyState } from '../contract/types.ts';
import type { SubscribeOptions } from '../contract/types.ts';
import type { EngineApi, FlowRecord } from '../engine-api.ts';
import type { PacketRecord } from '../ports.ts';
import type { Caller } from './callers.ts';
import { Slots } from './limits.ts';
import { method } from './method.ts';
import type { Call, ServedInterface } from './method.ts';
import { Batches } from './batches.ts';
import { applicationName, clipped, protocolName } from './text.ts';
import { filterCost, filterUid, groupBy, groupRows, historyStateOf, indexText } from './flow-lists.ts';
import { historyFilter } from './history-filter.ts';
import { historyRows, totalsRows, totalsWanted } from './totals.ts';
import { UNKNOWN_UID, cursor, id, limit, longText, name, rows } from './wire-types.ts';

/** Live listeners of one user, and in all. */
export const SUBSCRIBER_LIMITS = { perUid: 8, overall: 64 } as const;

/** Questions to the history that one user may have waiting: it answers one after the other, and others ask too. */
export const QUESTIONS_PER_UID = 8;

/** What else than its path a program is known by. */
function programOf({ identity }: FlowRecord): Pick<FlowInfo, 'flatpak' | 'snap' | 'appimage' | 'script'> {
  const { flatpak, snap, appImage, script } = identity ?? {};
  return {
    ...(flatpak === undefined ? {} : { flatpak: clipped(flatpak) }), ...(snap === undefined ? {} : { snap: clipped(snap) }),
    ...(appImage === undefined ? {} : { appimage: clipped(appImage) }), ...(script === undefined ? {} : { script: clipped(script) }),
  };
}

/** The container that it comes from, or else goes into. */
function containerOf({ containers: [first] = [] }: FlowRecord): Pick<FlowInfo, 'container' | 'image'> {
  return first === undefined ? {} : { container: clipped(first.name), image: clipped(first.image) };
}

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
    ...containerOf(record),
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
    ...(record.forwardedFrom === null ? { direction: record.answersPeer === true ? 'in' as const : 'out' as const } : {}),
    ...programOf(record),
    ...(record.endedMs === undefined ? {} : { ended_ms: record.endedMs, sent_bytes: record.sentBytes ?? 0, received_bytes: record.receivedBytes ?? 0 }),
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
  /** Questions that wait, by user. */
  readonly #questions = new Slots<number>(QUESTIONS_PER_UID);
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
        cost: filterCost,
        run: async (call, filter, count, from) => {
          const uid = await filterUid(call, filter);
          const page = await this.#ask(call.caller, (engine) => engine.flows(historyFilter(filter, uid), count, from));
          return [page.rows.map(flowRow), page.next];
        },
      }),
      Index: method({
        input: [flowFilter, cursor],
        names: ['filter', 'cursor'],
        output: [longText, string],
        cost: filterCost,
        run: async (call, filter, from) => {
          const uid = await filterUid(call, filter);
          const found = await this.#ask(call.caller, (engine) => engine.flowNumbers(historyFilter(filter, uid), from));
          return [indexText(found.numbers), found.next];
        },
      }),
      Group: method({
        input: [flowFilter, name],
        names: ['filter', 'by'],
        output: [rows(totalsInfo), u64],
        cost: filterCost,
        run: async (call, filter, by) => {
          const wanted = groupBy(by);
          const uid = await filterUid(call, filter);
          return this.#ask(call.caller, (engine) => groupRows(engine, historyFilter(filter, uid), wanted));
        },
      }),
      HistoryState: method({ input: [], names: [], output: [historyState], run: () => [historyStateOf(this.#deps.engine)] }),
      Explain: method({
        input: [id],
        names: ['flow'],
        output: [explanation],
        // Also what is not there costs view-all: nobody learns by it which flows of others there are.
        cost: async (caller, flow) => ((await this.#ask(caller, (engine) => engine.flow(flow)))?.uid === caller.uid ? null : ACTIONS.viewAll),
        run: async (call, flow) => {
          const [record, why] = await this.#ask(call.caller, (engine) => Promise.all([engine.flow(flow), engine.explain(flow)]));
          return [record === null ? why : { ...why, flow_info: flowRow(record) }];
        },
      }),
      Totals: method({
        input: [name, name],
        names: ['range', 'by'],
        output: [rows(totalsInfo)],
        run: async (call, range, by) => {
          const wanted = totalsWanted(range, by);
          const uid = (await call.allows(ACTIONS.viewAll)) ? null : call.caller.uid;
          if (wanted === null) return [totalsRows(this.#deps.engine, uid)];
          return [await this.#ask(call.caller, (engine) => historyRows(engine, wanted, { uid }))];
        },
      }),
      TotalsOf: method({
        input: [totalsFilter, name, name],
        names: ['filter', 'range', 'by'],
        output: [rows(totalsInfo)],
        run: async (call, { path }, range, by) => {
          const wanted = totalsWanted(range, by);
          if (wanted === null) throw new BastionError('NotSupported', 'Sums of one program come out of the history: hour, day, week or month.');
          const uid = (await call.allows(ACTIONS.viewAll)) ? null : call.caller.uid;
          const of = path === undefined ? { uid } : { uid, path };
          return [await this.#ask(call.caller, (engine) => historyRows(engine, wanted, of))];
        },
      }),
      ClearHistory: method({
        input: [],
        names: [],
        output: [],
        run: async () => {
          await this.#deps.engine.clearHistory();
          return [];
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
        cost: (_caller, options) => (options.packets === true || options.everybody === true ? ACTIONS.viewAll : null),
        run: async (call, options) => {
          await this.#subscribe(call, options);
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

  /** Throws BastionError Busy for a user who has too many questions waiting; root is not limited. */
  async #ask<T>({ uid }: Caller, question: (engine: EngineApi) => Promise<T>): Promise<T> {
    const giveBack = uid === 0 ? () => undefined : this.#questions.take(uid, Number.MAX_SAFE_INTEGER);
    if (giveBack === null) throw new BastionError('Busy');
    try {
      return await question(this.#deps.engine);
    } finally {
      giveBack();
    }
  }

  async #subscribe(call: Call, { packets = false, everybody: all = false }: SubscribeOptions): Promise<void> {
    const everybody = packets || all || (await call.allows(ACTIONS.viewAll));
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
