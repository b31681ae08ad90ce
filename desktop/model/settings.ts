/**
 * The desktop's own preferences, typed. A key is one line in KEYS and its element in
 * data/desktop/org.bastionfirewall.Desktop.gschema.xml; a test compares the two. Pure: client/settings.ts keeps the values.
 */

/** One key: its default and, for text, what it may be. */
type KeyRule = { readonly default: boolean } | { readonly default: string; readonly choices: readonly string[] };

export const KEYS = {
  /** How a prompt appears first. A window comes anyway where notifications cannot carry buttons. */
  prompts: { default: 'notification', choices: ['notification', 'window'] },
  /** The program starts with the session. */
  'start-with-session': { default: true },
  /** The shield is in the tray. */
  'show-tray': { default: true },
  /** A notification says when the protection becomes less, or whole again. */
  'notify-state': { default: true },
  /** Safeguard is told in Do Not Disturb too. */
  'safeguard-always-told': { default: true },
  /** The assistant of the first start has been seen, or put away. */
  'assistant-done': { default: false },
  /** The first steps have been offered. */
  'welcome-told': { default: false },
  /** Where nothing shows the shield, the overview says how to get one. */
  'tray-hint': { default: true },
  /** The suggestions of learning have been announced. */
  'suggestions-told': { default: false },
} as const satisfies Readonly<Record<string, KeyRule>>;

export type SettingKey = keyof typeof KEYS;
export type SettingValue<K extends SettingKey> = (typeof KEYS)[K] extends { readonly choices: readonly (infer C extends string)[] } ? C : boolean;

export function isSettingKey(name: string): name is SettingKey {
  return Object.hasOwn(KEYS, name);
}

/** Is `value` one that the key can have? */
export function isSettingValue<K extends SettingKey>(key: K, value: unknown): value is SettingValue<K> {
  const rule: KeyRule = KEYS[key];
  return 'choices' in rule ? typeof value === 'string' && rule.choices.includes(value) : typeof value === 'boolean';
}

/** Where values are kept. */
export interface SettingsStore {
  read(key: SettingKey): unknown;
  /** False when it could not be written. */
  write(key: SettingKey, value: string | boolean): boolean;
  writable(key: SettingKey): boolean;
  /** Calls back when a value has changed, whoever did it. */
  watch(changed: (key: SettingKey) => void): void;
}

export class Settings {
  readonly #store: SettingsStore;
  readonly #listeners = new Set<(key: SettingKey) => void>();

  constructor(store: SettingsStore) {
    this.#store = store;
    store.watch((key) => { for (const listener of [...this.#listeners]) listener(key); });
  }

  /** The default where the store has nothing that fits. */
  get<K extends SettingKey>(key: K): SettingValue<K> {
    const found = this.#store.read(key);
    return isSettingValue(key, found) ? found : (KEYS[key].default as SettingValue<K>);
  }

  /** False when it could not be kept: the administrator has locked the key, or there is nowhere to keep it. */
  set<K extends SettingKey>(key: K, value: SettingValue<K>): boolean {
    if (this.get(key) === value) return true;
    return this.#store.write(key, value);
  }

  /** Can the person change it? */
  canSet(key: SettingKey): boolean {
    return this.#store.writable(key);
  }

  /** Calls back after a change of a key, by whomever; returns the way to stop. */
  onChanged(listener: (key: SettingKey) => void): () => void {
    this.#listeners.add(listener);
    return () => { this.#listeners.delete(listener); };
  }
}

/** For this run alone. */
export function inMemory(): SettingsStore {
  const values = new Map<SettingKey, string | boolean>();
  const listeners: ((key: SettingKey) => void)[] = [];
  return {
    read: (key) => values.get(key),
    write: (key, value) => {
      values.set(key, value);
      for (const listener of listeners) listener(key);
      return true;
    },
    writable: () => true,
    watch: (changed) => { listeners.push(changed); },
  };
}
