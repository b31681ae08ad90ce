/** What there is that a rule could name: of the rules that exist, of the helper, and of this computer. */
import { networkInterfaces } from 'node:os';
import { allRows } from '../../helper/contract/pages.ts';
import type { NetworkZone, ProfileInfo } from '../../helper/contract/types.ts';
import type { HelperSession } from '../client/session.ts';
import { visible } from '../model/plain-text.ts';
import type { OfferChoice } from './offer.ts';
import type { FieldSources } from './rule-fields.ts';

/** More than a list can offer are not asked for. */
const ZONES_LIMIT = 200;

export class RuleSources implements FieldSources {
  readonly #session: HelperSession;
  readonly #gotLists: (lists: readonly (readonly [string, string])[]) => void;
  #profiles: readonly ProfileInfo[] = [];
  #zones: readonly NetworkZone[] = [];

  /** `gotLists` is told the lists that there are, ids with their names. */
  constructor(session: HelperSession, gotLists: (lists: readonly (readonly [string, string])[]) => void) {
    this.#session = session;
    this.#gotLists = gotLists;
  }

  /** Asks the helper; without its answers the fields can be typed into. */
  read(): void {
    const { client } = this.#session;
    client.listLists().then((lists) => { this.#gotLists(lists.map(({ id, name }) => [id, visible(name || id, 128)])); }, () => undefined);
    client.profiles().then((profiles) => { this.#profiles = profiles; }, () => undefined);
    allRows((limit, cursor) => client.listZones(limit, cursor), ZONES_LIMIT).then(({ rows }) => { this.#zones = rows; }, () => undefined);
  }

  readonly groups = (): readonly OfferChoice[] => this.#named('group');
  readonly users = (): readonly OfferChoice[] => this.#named('user');
  readonly interfaces = (): readonly OfferChoice[] => this.#named('interface', Object.keys(networkInterfaces()).map((value) => ({ value })));

  readonly zones = (): readonly OfferChoice[] => (
    this.#named('zone', this.#zones.map(({ id, patterns }) => ({ value: id, detail: patterns.join(', ') })))
  );

  readonly profiles = (): readonly OfferChoice[] => (
    this.#profiles.map(({ id, name }) => ({ value: id, label: visible(name, 64), detail: name === id ? '' : id }))
  );

  /** Those of `own`, and those that rules name, by name. */
  #named(key: 'group' | 'zone' | 'interface' | 'user', own: readonly OfferChoice[] = []): readonly OfferChoice[] {
    const { rules } = this.#session;
    const choices = new Map(own.map((choice) => [choice.value, choice]));
    for (const rule of rules.kind === 'ready' ? rules.rules : []) {
      const value = rule[key] ?? '';
      if (value !== '' && !choices.has(value)) choices.set(value, { value });
    }
    return [...choices.values()].sort((a, b) => (a.value < b.value ? -1 : 1));
  }
}
