/**
 * Keeps what comes in as `[[zone]] inbound` of bastion.toml says: makes the rules for it, leaves another firewall for it in
 * charge, and tells what was refused.
 */
import type { OtherKeeper } from './adapters/inbound-keepers.ts';
import type { LoadError } from './contract/types.ts';
import { inboundSpec } from './engine/inbound.ts';
import type { InboundKeeper } from './engine-api.ts';
import type { InboundSpec, LinkMonitor, Logger, Settings } from './ports.ts';

/** How often it is looked whether another firewall has come or gone. Nobody tells of ufw. */
const LOOK_MS = 10_000;
/** What was refused is told in the journal at most so often. */
const TELL_MS = 60_000;

export interface InboundDeskDeps {
  readonly settings: () => Settings | null;
  readonly settingsFile: string;
  readonly links: Pick<LinkMonitor, 'current' | 'onChanged'>;
  /** null: no other firewall. */
  readonly findKeeper: () => Promise<OtherKeeper | null>;
  /** Are rules of ours in force? */
  readonly holds: () => boolean;
  readonly refused: () => Promise<ReadonlyMap<string, number>>;
  /** Something else shall be in force now: another firewall has come or gone, or an interface that is known by its hardware address. */
  readonly onChanged: () => void;
  readonly logger: Logger;
  /** Monotonic, ms. */
  readonly nowMs: () => number;
}

export class InboundDesk {
  readonly #deps: InboundDeskDeps;
  readonly #timer: NodeJS.Timeout;
  readonly #stopLinks: () => void;
  #keeper: OtherKeeper | null = null;
  /** What the journal was told of last, by zone. */
  readonly #told = new Map<string, number>();
  #toldMs = Number.NEGATIVE_INFINITY;

  constructor(deps: InboundDeskDeps) {
    this.#deps = deps;
    this.#timer = setInterval(() => void this.#look(), LOOK_MS).unref();
    this.#stopLinks = deps.links.onChanged(() => {
      if (this.#usesAddresses()) deps.onChanged();
    });
  }

  /** Before `spec` is asked for the first time. */
  async open(): Promise<void> {
    this.#setKeeper(await this.#deps.findKeeper());
  }

  /** What shall be in force now; null for nothing. */
  spec(): InboundSpec | null {
    const settings = this.#deps.settings();
    return settings === null || this.#keeper !== null ? null : inboundSpec(settings, this.#deps.links.current);
  }

  by(): InboundKeeper {
    return this.#keeper ?? (this.#deps.holds() ? 'bastion' : 'nobody');
  }

  /** Zones whose `inbound` is not in force. */
  loadErrors(): readonly LoadError[] {
    const keeper = this.#keeper;
    if (keeper === null) return [];
    return (this.#deps.settings()?.zones ?? []).filter(({ inbound }) => inbound === 'deny').map(({ name, line }) => ({
      file: this.#deps.settingsFile, line, column: 1,
      message: `${keeper} judges what comes in on this machine, so inbound of the zone "${name}" is not in force. Use one of the two.`,
    }));
  }

  /** Packets that each zone has refused, by its name. */
  async refused(): Promise<ReadonlyMap<string, number>> {
    return this.#deps.refused().catch(() => new Map<string, number>());
  }

  /** firewalld has come or gone. */
  look(): void {
    void this.#look();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#stopLinks();
  }

  #usesAddresses(): boolean {
    return this.#deps.settings()?.interfaces?.some(({ mac }) => mac !== undefined) === true;
  }

  async #look(): Promise<void> {
    const before = this.#keeper;
    this.#setKeeper(await this.#deps.findKeeper());
    if (this.#keeper !== before) this.#deps.onChanged();
    if (this.#deps.holds() && this.#deps.nowMs() - this.#toldMs >= TELL_MS) await this.#tell();
  }

  #setKeeper(keeper: OtherKeeper | null): void {
    if (keeper === this.#keeper) return;
    const message = keeper === null ? 'no other firewall judges what comes in any more' : 'another firewall judges what comes in';
    this.#deps.logger.log('info', message, { firewall: keeper ?? this.#keeper ?? '' });
    this.#keeper = keeper;
  }

  async #tell(): Promise<void> {
    for (const [zone, packets] of await this.refused()) {
      const before = this.#told.get(zone) ?? 0;
      if (packets <= before) continue;
      this.#told.set(zone, packets);
      this.#toldMs = this.#deps.nowMs();
      this.#deps.logger.log('info', 'connections from outside were refused', { zone, packets: packets - before });
    }
  }
}
