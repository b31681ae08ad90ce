/** What the engine decided on its way to where it is kept: the history, the journal, the metrics file. */
import type { Metrics } from './adapters/metrics.ts';
import type { EngineApi, FlowRecord } from './engine-api.ts';
import type { History, HistorySettings, Logger } from './ports.ts';

/** Traffic is sampled, and the metrics file written, this often. */
const EVERY_MS = 60_000;

export interface HistoryFeedParts {
  readonly engine: EngineApi;
  readonly history: History;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** As bastion.toml says it now. */
  readonly settings: () => HistorySettings;
}

/** What was refused, for the journal and who watches it; what was allowed only for those who want to see everything. */
function logFlow(logger: Logger, flow: FlowRecord): void {
  const { tuple, decision } = flow;
  const allowed = decision.action === 'allow';
  logger.log(allowed ? 'debug' : 'info', allowed ? 'a connection was allowed' : 'a connection was refused', {
    flow: flow.id,
    action: decision.action,
    reason: decision.reason,
    ...(decision.ruleId === null ? {} : { rule: decision.ruleId }),
    application: flow.path ?? flow.forwardedFrom ?? flow.claimedPath ?? '',
    ...(flow.uid === null ? {} : { uid: flow.uid }),
    ...(flow.pid === null ? {} : { pid: flow.pid }),
    address: tuple.destinationAddress,
    port: tuple.destinationPort,
    protocol: tuple.protocol,
    ...(flow.host === null ? {} : { host: flow.host }),
    confidence: flow.confidence,
  });
}

export class HistoryFeed {
  readonly #parts: HistoryFeedParts;
  readonly #stops: (() => void)[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(parts: HistoryFeedParts) {
    this.#parts = parts;
    const { engine, history, logger, metrics } = parts;
    this.#stops.push(
      engine.onEvents({
        flows: (flows) => {
          history.add(flows);
          metrics.count(flows);
          for (const flow of flows) logFlow(logger, flow);
        },
        flowsEnded: (ends) => { history.end(ends); },
      }),
    );
    this.#timer = setInterval(() => { this.#sample(); }, EVERY_MS);
  }

  /** Settings may be others now. */
  configure(): void {
    this.#parts.history.configure(this.#parts.settings());
  }

  /** What was moved since the last sample counts too; then the history stores what waits. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    for (const stop of this.#stops) stop();
    const { engine, history } = this.#parts;
    history.addTraffic(engine.totals());
    await history.close();
  }

  #sample(): void {
    const { engine, history, metrics, settings } = this.#parts;
    const totals = engine.totals();
    history.addTraffic(totals);
    const { prometheusFile } = settings();
    if (prometheusFile !== null) void metrics.write(prometheusFile, { status: engine.status(), totals, history: history.status() });
  }
}
