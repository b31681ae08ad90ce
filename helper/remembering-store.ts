/** The rule store, and what it loaded last. */
import type { LoadedRules, RuleStore } from './ports.ts';

export class RememberingStore implements RuleStore {
  readonly #store: RuleStore;
  loaded: LoadedRules | null = null;

  constructor(store: RuleStore) {
    this.#store = store;
  }

  async load(): Promise<LoadedRules> {
    this.loaded = await this.#store.load();
    return this.loaded;
  }

  watch: RuleStore['watch'] = (changed) => this.#store.watch(changed);
  add: RuleStore['add'] = (rule) => this.#store.add(rule);
  addAll: RuleStore['addAll'] = (rules, overrides) => this.#store.addAll(rules, overrides);
  update: RuleStore['update'] = (id, rule) => this.#store.update(id, rule);
  remove: RuleStore['remove'] = (id) => this.#store.remove(id);
  setEnabled: RuleStore['setEnabled'] = (id, enabled) => this.#store.setEnabled(id, enabled);
  setGroup: RuleStore['setGroup'] = (group, enabled) => this.#store.setGroup(group, enabled);
  setMode: RuleStore['setMode'] = (mode) => this.#store.setMode(mode);
  setInbound: RuleStore['setInbound'] = (zone, inbound) => this.#store.setInbound(zone, inbound);
  exportText: RuleStore['exportText'] = () => this.#store.exportText();
}
