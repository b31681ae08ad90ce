/**
 * Counters as a text file for the Prometheus node exporter: nobody has to be let in to read them.
 * Source: prometheus.io/docs/instrumenting/exposition_formats, node_exporter's textfile collector.
 */
import type { EngineStatus, FlowRecord, TrafficTotal } from '../engine-api.ts';
import type { RuleAction } from '../contract/vocabulary.ts';
import { RULE_ACTIONS, STATES } from '../contract/vocabulary.ts';
import type { HistoryStatus, Logger } from '../ports.ts';
import { writeFileAtomic } from './atomic-file.ts';

/** Programs that are counted apart; what comes after them counts in the sums over all only. */
export const COUNTED_LIMIT = 1000;
/** Programs that the file tells of: those with the most. */
export const SHOWN_LIMIT = 50;
const LABEL_LENGTH = 256;
/** Readable for the exporter, which is another user. */
const FILE_MODE = 0o644;
const UNKNOWN = 'unknown';

type Counts = Record<RuleAction, number>;

/** What the file tells besides the counted flows. */
export interface MetricsSources {
  readonly status: EngineStatus;
  readonly totals: readonly TrafficTotal[];
  readonly history: HistoryStatus;
}

export interface Metrics {
  count(flows: readonly FlowRecord[]): void;
  /** Replaces the file. Never rejects: what fails is logged, and tried again with the next call. */
  write(path: string, sources: MetricsSources): Promise<void>;
}

function noCounts(): Counts {
  return { allow: 0, deny: 0, drop: 0, ask: 0 };
}

/** A label's value: what would end it or the line is escaped as the format says, other control characters are replaced. */
export function labelText(value: string): string {
  const cut = value.length > LABEL_LENGTH ? `${value.slice(0, LABEL_LENGTH)}…` : value;
  return cut.toWellFormed().replaceAll(/[\\"\n]|[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    if (character === '\\' || character === '"') return `\\${character}`;
    return character === '\n' ? '\\n' : '\u{fffd}';
  });
}

/** One line: `bastion_NAME{label="value"} number`. */
function line(name: string, labels: Readonly<Record<string, string>>, value: number): string {
  const pairs = Object.entries(labels).map(([key, text]) => `${key}="${labelText(text)}"`).join(',');
  return `bastion_${name}${pairs === '' ? '' : `{${pairs}}`} ${String(value)}\n`;
}

function family(name: string, type: 'counter' | 'gauge', help: string, lines: readonly string[]): string {
  return `# HELP bastion_${name} ${help}\n# TYPE bastion_${name} ${type}\n${lines.join('')}`;
}

function sum(counts: Counts): number {
  return RULE_ACTIONS.reduce((total, action) => total + counts[action], 0);
}

/** Bytes by path, of all users. */
function bytesByPath(totals: readonly TrafficTotal[]): readonly (readonly [string, number, number])[] {
  const paths = new Map<string, { sent: number; received: number }>();
  for (const { path, sentBytes, receivedBytes } of totals) {
    const row = paths.get(path ?? UNKNOWN) ?? { sent: 0, received: 0 };
    row.sent += sentBytes;
    row.received += receivedBytes;
    paths.set(path ?? UNKNOWN, row);
  }
  return [...paths].map(([path, { sent, received }]) => [path, sent, received] as const)
    .sort((a, b) => b[1] + b[2] - a[1] - a[2]).slice(0, SHOWN_LIMIT);
}

class FlowMetrics implements Metrics {
  readonly #logger: Logger;
  readonly #all = noCounts();
  readonly #applications = new Map<string, Counts>();
  #writing = false;
  #failed = false;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  count(flows: readonly FlowRecord[]): void {
    for (const { path, forwardedFrom, decision: { action } } of flows) {
      this.#all[action] += 1;
      const name = path ?? (forwardedFrom === null ? UNKNOWN : 'forwarded');
      let counts = this.#applications.get(name);
      if (counts === undefined) {
        if (this.#applications.size >= COUNTED_LIMIT) continue;
        this.#applications.set(name, counts = noCounts());
      }
      counts[action] += 1;
    }
  }

  async write(path: string, sources: MetricsSources): Promise<void> {
    // A file system that hangs must not collect writers.
    if (this.#writing) return;
    this.#writing = true;
    try {
      await writeFileAtomic(path, Buffer.from(this.text(sources)), FILE_MODE);
      this.#failed = false;
    } catch (error: unknown) {
      if (!this.#failed) this.#logger.log('warning', 'the metrics file could not be written', { path, why: String(error) });
      this.#failed = true;
    } finally {
      this.#writing = false;
    }
  }

  text({ status, totals, history }: MetricsSources): string {
    const { statistics, state } = status;
    const shown = [...this.#applications].sort(([, a], [, b]) => sum(b) - sum(a)).slice(0, SHOWN_LIMIT);
    const bytes = bytesByPath(totals);
    const single = (name: string, type: 'counter' | 'gauge', help: string, value: number): string => family(name, type, help, [line(name, {}, value)]);
    return [
      family('state', 'gauge', 'State of the firewall: 1 for the one that it is in.',
        STATES.map((one) => line('state', { state: one }, one === state ? 1 : 0))),
      family('flows_total', 'counter', 'Flows that the helper decided.',
        RULE_ACTIONS.map((action) => line('flows_total', { action }, this.#all[action]))),
      family('application_flows_total', 'counter', 'The same by program, for those with the most.',
        shown.flatMap(([application, counts]) => RULE_ACTIONS.filter((action) => counts[action] > 0)
          .map((action) => line('application_flows_total', { application, action }, counts[action])))),
      family('application_sent_bytes_total', 'counter', 'Bytes of IP datagrams that programs sent, for those with the most.',
        bytes.map(([application, sent]) => line('application_sent_bytes_total', { application }, sent))),
      family('application_received_bytes_total', 'counter', 'Bytes of IP datagrams that programs received, for those with the most.',
        bytes.map(([application, , received]) => line('application_received_bytes_total', { application }, received))),
      single('kernel_decided_total', 'counter', 'Packets that the kernel decided by itself.', statistics.kernel_decided),
      single('gate_dropped_total', 'counter', 'Packets that the gate dropped.', statistics.gate_dropped),
      single('unidentified_total', 'counter', 'Packets without a known owner.', statistics.unidentified),
      single('prompts_total', 'counter', 'Prompts raised.', statistics.prompts),
      single('prompts_expired_total', 'counter', 'Prompts that nobody answered.', statistics.prompts_expired),
      single('prompts_renewed_total', 'counter', 'Times that a prompt was given its whole time again.', statistics.prompts_renewed ?? 0),
      single('safeguard_begins_total', 'counter', 'Times that the safeguard began.', statistics.safeguard_begins ?? 0),
      single('safeguard_refused_total', 'counter', 'Connections that the safeguard refused.', statistics.safeguard_refused ?? 0),
      single('rules_mended_total', 'counter', 'Times that changed netfilter rules were put back.', statistics.rules_mended),
      single('rules', 'gauge', 'Rules in force.', statistics.rules),
      single('held', 'gauge', 'Packets that wait for a decision.', statistics.held),
      single('history_lost_total', 'counter', 'Flows that could not be stored.', history.lost),
      single('uptime_seconds', 'gauge', 'Time since the helper started.', statistics.uptime_ms / 1000),
    ].join('');
  }
}

export function createMetrics(logger: Logger): Metrics & { text(sources: MetricsSources): string } {
  return new FlowMetrics(logger);
}
