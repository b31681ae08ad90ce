/** The active profile: chosen by hand, else the one of the network, else the default one. */
import { BastionError } from '../contract/errors.ts';
import type { ProfileView } from '../engine-api.ts';
import type { NetworkState, Networks, Profile, ProfileNetwork, Settings } from '../ports.ts';

/** What profiles are recognized by. */
export interface Here extends NetworkState {
  /** Zones of bastion.toml that are connected: asked for only where a profile names one. */
  readonly zones: () => ReadonlySet<string>;
}

function isNetwork({ connection, ssid, zone, gateway, mac }: ProfileNetwork, state: Here): boolean {
  if ([connection, ssid, zone, gateway, mac].every((one) => one === undefined)) return false;
  if (zone !== undefined && !state.zones().has(zone)) return false;
  if (connection !== undefined && !state.connections.includes(connection)) return false;
  if (ssid !== undefined && !state.ssids.includes(ssid)) return false;
  if (gateway === undefined && mac === undefined) return true;
  return state.gateways.some((one) => (gateway === undefined || one.address === gateway) && (mac === undefined || one.mac === mac));
}

/** The first profile whose network is there with all that it names; null for none. */
export function recognized(profiles: readonly Profile[], state: Here): Profile | null {
  return profiles.find(({ network }) => network !== undefined && isNetwork(network, state)) ?? null;
}

export class ProfileDesk {
  readonly #networks: Networks;
  readonly #zones: () => ReadonlySet<string>;
  readonly #changed: () => void;
  #profiles: readonly Profile[] = [];
  #default: string | null = null;
  #chosen: string | null = null;
  #active: string | null = null;

  /** `zones`: those that are connected now. `changed` is called when another profile is active. */
  constructor(networks: Networks, zones: () => ReadonlySet<string>, changed: () => void) {
    this.#networks = networks;
    this.#zones = zones;
    this.#changed = changed;
  }

  /** Id of the active profile; null for none. */
  get active(): string | null {
    return this.#active;
  }

  /** Id of the profile that was chosen by hand. */
  get chosen(): string | null {
    return this.#chosen;
  }

  /** A chosen profile that is not there any more counts for nothing. Calls nobody: the rules are loaded anew anyway. */
  setSettings({ profiles = [], defaultProfile }: Settings): void {
    this.#profiles = profiles;
    this.#default = defaultProfile ?? null;
    this.#active = this.#find();
  }

  restore(chosen: string | null): void {
    this.#chosen = chosen;
  }

  /** null: by the network from now on. Throws BastionError NotFound. */
  choose(id: string | null): void {
    if (id !== null && !this.#has(id)) throw new BastionError('NotFound', 'There is no such profile in bastion.toml.');
    this.#chosen = id;
    this.look();
  }

  /** The network may be another one now. */
  look(): void {
    const active = this.#find();
    if (active === this.#active) return;
    this.#active = active;
    this.#changed();
  }

  views(): readonly ProfileView[] {
    const here = this.#recognized();
    return this.#profiles.map(({ id, name, network }) => ({
      id, name,
      active: id === this.#active,
      chosen: id === this.#chosen,
      recognized: id === here?.id,
      isDefault: id === this.#default,
      hasNetwork: network !== undefined,
    }));
  }

  #has(id: string): boolean {
    return this.#profiles.some((profile) => profile.id === id);
  }

  #recognized(): Profile | null {
    return recognized(this.#profiles, { ...this.#networks.current(), zones: this.#zones });
  }

  #find(): string | null {
    if (this.#chosen !== null && this.#has(this.#chosen)) return this.#chosen;
    const here = this.#recognized();
    return here?.id ?? (this.#default !== null && this.#has(this.#default) ? this.#default : null);
  }
}
