/** One set of nftables that holds the addresses of a zone: what it shall hold, what it was found to hold, and what is told of it. */
import type { AddressSets, SetChange, SetName, SetView, ZoneSettings } from './ports.ts';
import { Content, differenceOf } from './zones/difference.ts';
import type { Difference } from './zones/difference.ts';

/** Elements that are told of one set. */
const ELEMENTS_TOLD = 500;

/** What bastion.toml says of a set. */
export interface SetWish {
  readonly name: SetName;
  readonly version: 4 | 6;
  readonly zone: string;
  readonly create: boolean;
  readonly keepOthers: boolean;
}

/** A difference that is not empty, as a part of a transaction. */
export interface Plan {
  readonly kept: KeptSet;
  readonly difference: Difference;
  readonly change: SetChange;
}

export function keyOf({ family, table, set }: SetName): string {
  return `${family} ${table} ${set}`;
}

/** The sets that the zones of bastion.toml name. */
export function wishesOf(zones: readonly ZoneSettings[]): readonly SetWish[] {
  return zones.flatMap(({ name: zone, family, table, set4, set6, create, keepOthers }) => ([[4, set4], [6, set6]] as const)
    .filter(([, set]) => set !== '')
    .map(([version, set]) => ({ name: { family, table, set }, version, zone, create, keepOthers })));
}

/** A command that makes the table and the set; what is there already stays. */
function makingCommand({ family, table, set }: SetName, version: 4 | 6): string {
  return `nft 'add table ${family} ${table}; add set ${family} ${table} ${set} { type ipv${String(version)}_addr; }'`;
}

export class KeptSet {
  readonly name: SetName;
  readonly version: 4 | 6;
  /** null: bastion.toml does not name it any more, and what is ours leaves it. */
  wish: SetWish | null;
  /** It has to be read before it is changed. */
  look = true;
  ours: ReadonlySet<string>;
  #state: SetView['state'] = 'waiting';
  #problem = '';
  /** Addresses that are not known to us; see `SetView.problem`. */
  #leftOut = 0;
  #content: Content | null = null;
  #endsAlone = false;
  #make = false;

  constructor(name: SetName, version: 4 | 6, wish: SetWish | null, ours: ReadonlySet<string>) {
    this.name = name;
    this.version = version;
    this.wish = wish;
    this.ours = ours;
  }

  get key(): string {
    return keyOf(this.name);
  }

  get state(): SetView['state'] {
    return this.#state;
  }

  get problem(): string {
    return this.#problem;
  }

  /** Has it nothing of ours, and nobody wants it? */
  get isDone(): boolean {
    return this.wish === null && this.ours.size === 0;
  }

  async read(sets: AddressSets): Promise<void> {
    // Before: what changes while it is read has to be looked at once more.
    this.look = false;
    const found = await sets.read(this.name, this.version);
    this.#content = null;
    this.#make = false;
    if (found.state === 'there') {
      this.#content = new Content(found.elements);
      this.#endsAlone = found.endsAlone;
      return;
    }
    // What was ours has gone with the set that it was in.
    this.ours = new Set();
    this.#endsAlone = false;
    if (found.state === 'failed') {
      this.failed(found.problem);
      return;
    }
    if (this.wish?.create === true) {
      this.#make = true;
      this.#content = new Content([]);
      return;
    }
    this.#state = 'missing';
    this.#problem = `There is no set ${this.key}. To make it: ${makingCommand(this.name, this.version)}`;
  }

  failed(problem: string): void {
    this.#content = null;
    this.#state = 'failed';
    this.#problem = problem;
  }

  /**
   * What has to change; null where nothing has to, or it cannot be changed now. `isOff`: only what is ours leaves. `holds`: what is
   * ours and not wanted stays for now. `leftOut`: addresses of the zone that nobody told us.
   */
  plan(wanted: ReadonlySet<string>, { isOff, holds, leftOut }: { readonly isOff: boolean; readonly holds: boolean; readonly leftOut: number }): Plan | null {
    const content = this.#content;
    if (content === null) return null;
    this.#leftOut = leftOut;
    const leaves = isOff || this.wish === null;
    const staying = holds && !leaves ? [...this.ours].filter((address) => content.singles.has(address)) : [];
    const difference = differenceOf({
      version: this.version, found: content, ours: this.ours,
      wanted: leaves ? new Set() : staying.length === 0 ? wanted : new Set([...wanted, ...staying]),
      keepOthers: leaves || this.wish?.keepOthers !== false,
    });
    const make = this.#make && !leaves;
    if (!make && difference.remove.length === 0 && difference.add.length === 0) {
      this.ours = difference.ours;
      this.#current();
      return null;
    }
    const { remove, add } = difference;
    return { kept: this, difference, change: { ...this.name, version: this.version, make, endsAlone: this.#endsAlone, remove, add } };
  }

  /** The kernel has taken it. */
  applied(difference: Difference): void {
    this.#content?.applied(difference);
    this.#make = false;
    this.ours = difference.ours;
    this.#current();
  }

  view(): SetView {
    const content = this.#content;
    let own = 0;
    if (content !== null) for (const address of this.ours) if (content.singles.has(address)) own += 1;
    const leftOut = this.#leftOut === 0 ? '' : `${String(this.#leftOut)} addresses of this zone are not in it: an interface has too many.`;
    return {
      ...this.name, version: this.version, state: this.#state, problem: this.#problem === '' ? leftOut : this.#problem,
      elements: content?.texts(ELEMENTS_TOLD) ?? [], others: Math.max(0, (content?.size ?? 0) - own),
    };
  }

  #current(): void {
    this.#state = 'current';
    this.#problem = '';
  }
}
