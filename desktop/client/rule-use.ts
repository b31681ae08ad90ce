/** How often rules were used: read again while somebody looks at them and connections are decided. Nothing is asked otherwise. */
import type { RuleInfo } from '../../helper/contract/types.ts';
import { Refresher } from './refresher.ts';
import type { HelperSession } from './session.ts';

/** At least so long between two readings. */
const LEAST_MS = 2000;
const PAGE_ROWS = 500;
/** With more rules a reading is not worth its cost: their uses are those of the last time that the rules were read. */
export const LIVE_USE_RULES = 2000;

export type Use = Pick<RuleInfo, 'hits' | 'last_hit_ms'>;

export class RuleUse {
  readonly #session: HelperSession;
  readonly #refresher: Refresher;
  readonly #changed: () => void;
  readonly #uses = new Map<string, Use>();
  #decided = '';

  /** `changed`: other numbers than before. */
  constructor(session: HelperSession, changed: () => void) {
    this.#session = session;
    this.#changed = changed;
    this.#refresher = new Refresher(() => this.#read().catch(() => undefined), () => session.clocks.nowMs(), LEAST_MS);
    session.changed.on(() => { this.#onChanged(); });
  }

  /** The rule as it was read, with what is known of its use by now. */
  of(rule: RuleInfo): RuleInfo {
    const use = this.#uses.get(rule.id);
    return use === undefined || use.hits < rule.hits ? rule : { ...rule, ...use };
  }

  /** Somebody looks at the rules from now on. */
  start(): void {
    this.#refresher.start();
  }

  stop(): void {
    this.#refresher.stop();
  }

  /** The rules were read anew; with their uses. */
  clear(): void {
    this.#uses.clear();
  }

  #onChanged(): void {
    const statistics = this.#session.knowledge.status?.statistics;
    const decided = statistics === undefined ? '' : `${String(statistics.packets)} ${String(statistics.kernel_decided)}`;
    if (decided === this.#decided) return;
    this.#decided = decided;
    this.#refresher.ask();
  }

  async #read(): Promise<void> {
    const { rules, client } = this.#session;
    if (rules.kind !== 'ready' || rules.rules.length > LIVE_USE_RULES || !client.connected) return;
    const known = new Map(rules.rules.map((rule) => [rule.id, rule]));
    let isOther = false;
    let cursor = '';
    for (let read = 0; read < LIVE_USE_RULES; read += PAGE_ROWS) {
      const page = await client.listRules(PAGE_ROWS, cursor);
      for (const { id, hits, last_hit_ms: lastHitMs } of page.rows) {
        const before = this.#uses.get(id) ?? known.get(id);
        if (before === undefined || (before.hits === hits && before.last_hit_ms === lastHitMs)) continue;
        this.#uses.set(id, { hits, last_hit_ms: lastHitMs });
        isOther = true;
      }
      if (page.next === '' || page.next === cursor) break;
      cursor = page.next;
    }
    if (isOther) this.#changed();
  }
}
