/** The containers of all engines with their zones, found by address and by id. */
import type { Container, ContainerEngine, ContainerSettings } from '../../ports.ts';
import { globMatches } from './glob.ts';
import { ENGINE_LIMITS } from './limits.ts';
import type { SeenContainer } from './messages.ts';

/** As `[[zone]]` names them. */
const ZONE_NAME = /^[a-z0-9][a-z0-9_-]{0,31}$/;
/** Containers that join the network of one that joins another's, and so on. */
const JOINED_LIMIT = 8;
const WHOLE_ID = /^[0-9a-f]{64}$/;

interface Row {
  readonly engine: ContainerEngine;
  readonly ownerUid: number;
  readonly seen: SeenContainer;
}

interface Tables {
  readonly current: readonly Container[];
  readonly byId: ReadonlyMap<string, Container>;
  /** Null for an address that more than one has, also where they share one network. */
  readonly byAddress: ReadonlyMap<string, Container | null>;
}

const NOTHING: Tables = { current: [], byId: new Map(), byAddress: new Map() };

/** Those of root before those of users, then by engine and name. */
function inOrder(a: Row, b: Row): number {
  if ((a.ownerUid === 0) !== (b.ownerUid === 0)) return a.ownerUid === 0 ? -1 : 1;
  if (a.engine !== b.engine) return a.engine < b.engine ? -1 : 1;
  if (a.seen.name !== b.seen.name) return a.seen.name < b.seen.name ? -1 : 1;
  return a.seen.id < b.seen.id ? -1 : 1;
}

export class ContainerTable {
  readonly #rows = new Map<ContainerEngine, Map<string, Row>>();
  readonly #onStrangeLabel: (container: SeenContainer) => void;
  /** Ids whose label was complained about. */
  readonly #complained = new Set<string>();
  #mappings: ContainerSettings['zones'] = [];
  /** Null: to be made anew by whoever asks next. */
  #tables: Tables | null = NOTHING;

  /** `onStrangeLabel`: a label names no zone; told once for each container. */
  constructor(onStrangeLabel: (container: SeenContainer) => void) {
    this.#onStrangeLabel = onStrangeLabel;
  }

  get tables(): Tables {
    this.#tables ??= this.#make();
    return this.#tables;
  }

  /** Whether the zones may be others now. */
  setMappings(mappings: ContainerSettings['zones']): boolean {
    if (JSON.stringify(mappings) === JSON.stringify(this.#mappings)) return false;
    this.#mappings = mappings;
    this.#tables = null;
    return true;
  }

  apply(engine: ContainerEngine, ownerUid: number, changed: readonly SeenContainer[], gone: readonly string[]): void {
    const rows = this.#rows.get(engine) ?? new Map<string, Row>();
    this.#rows.set(engine, rows);
    for (const id of gone) {
      rows.delete(id);
      this.#complained.delete(id);
    }
    for (const seen of changed) {
      rows.set(seen.id, { engine, ownerUid, seen });
      this.#checkLabel(seen);
    }
    this.#tables = null;
  }

  /** Everything that the engine told. */
  forget(engine: ContainerEngine): void {
    this.apply(engine, 0, [], [...this.#rows.get(engine)?.keys() ?? []]);
  }

  #checkLabel(seen: SeenContainer): void {
    if (seen.label === null || ZONE_NAME.test(seen.label) || this.#complained.has(seen.id)) return;
    this.#complained.add(seen.id);
    this.#onStrangeLabel(seen);
  }

  #make(): Tables {
    const rows = [...this.#rows.values()].flatMap((one) => [...one.values()]).sort(inOrder).slice(0, ENGINE_LIMITS.containers);
    const current: Container[] = [];
    const byId = new Map<string, Container>();
    const byAddress = new Map<string, Container | null>();
    for (const row of rows) {
      // A user may say that one of root's is his.
      if (byId.has(row.seen.id)) continue;
      const container = this.#containerOf(row);
      current.push(container);
      byId.set(container.id, container);
      for (const { address } of container.addresses) {
        const other = byAddress.get(address);
        const isAlone = row.seen.networkOf === null && (other === undefined || other === container);
        byAddress.set(address, isAlone ? container : null);
      }
    }
    return { current, byId, byAddress };
  }

  /**
   * An engine of a user says of its containers what that user likes. They have no address that this machine sends packets of others
   * from, so none that is claimed counts; and a label of theirs chooses no zone.
   */
  #containerOf(row: Row): Container {
    const { engine, ownerUid, seen } = row;
    const { hostNetwork, addresses } = this.#networkOf(row);
    const isOfUser = ownerUid !== 0;
    const label = !isOfUser && seen.label !== null && ZONE_NAME.test(seen.label) ? seen.label : null;
    return {
      engine, id: seen.id, name: seen.name, image: seen.image, state: seen.state,
      zone: label ?? this.#mappings.find((mapping) => fits(mapping, seen))?.zone ?? '',
      hostNetwork,
      addresses: isOfUser ? [] : addresses,
      ...(isOfUser ? { ownerUid } : {}),
    };
  }

  /**
   * Docker gives one that joins another's network no address, Podman repeats the other's. Where the other is not known, it may have
   * been on the machine's own network, which outlives it.
   */
  #networkOf(row: Row): Pick<Container, 'addresses' | 'hostNetwork'> {
    let at = row;
    for (let step = 0; step < JOINED_LIMIT && at.seen.networkOf !== null; step += 1) {
      const next = this.#called(row.engine, at.seen.networkOf);
      if (next === undefined) break;
      at = next;
    }
    const { networkOf, hostNetwork, addresses } = at.seen;
    if (networkOf === null) return { hostNetwork, addresses };
    const own = row.seen.addresses;
    return { hostNetwork: row.ownerUid === 0 && own.length === 0, addresses: own };
  }

  /** By id, else by name, else by how its id begins, as engines look for what they are given. */
  #called(engine: ContainerEngine, text: string): Row | undefined {
    const rows = this.#rows.get(engine);
    const found = rows?.get(text);
    if (found !== undefined || rows === undefined || text === '' || WHOLE_ID.test(text)) return found;
    const all = [...rows.values()];
    return all.find(({ seen }) => seen.name === text) ?? all.find(({ seen }) => seen.id.startsWith(text));
  }
}

/** All that is given has to be so; `network` is one of its networks. */
function fits({ name, image, network }: ContainerSettings['zones'][number], seen: SeenContainer): boolean {
  return (name === undefined || globMatches(name, seen.name))
    && (image === undefined || globMatches(image, seen.image))
    && (network === undefined || seen.networks.some((one) => globMatches(network, one)));
}
