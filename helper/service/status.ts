/** PropertiesChanged: state at once, counters at most once a second and only while somebody could listen. */
import { INTERFACES } from '../contract/names.ts';
import type { ServedInterface } from './method.ts';
import { Variant } from '../contract/transport.ts';

const STATISTICS_MS = 1000;
/** It grows by itself and says nothing new. */
const ALWAYS_GROWING = 'uptime_ms';

/** Sends PropertiesChanged: what has which value, and what has changed without its value being told. */
export type SendChanged = (interfaceName: string, changed: Readonly<Record<string, unknown>>, invalidated: readonly string[]) => void;

export interface StatusDeps {
  readonly helper: ServedInterface;
  readonly rules: ServedInterface;
  readonly send: SendChanged;
  /** Is anybody connected who has ever called? */
  somebodyListens(): boolean;
}

/** Content of a value, for comparing; 64-bit numbers are no JSON. */
function contentOf(value: unknown): string {
  return JSON.stringify(value, (key, part: unknown) => {
    if (key === ALWAYS_GROWING) return undefined;
    return typeof part === 'bigint' ? part.toString() : part;
  });
}

/** Compares what is with what was told last. */
export class StatusSignals {
  readonly #deps: StatusDeps;
  readonly #told = new Map<string, string>();
  readonly #timer: NodeJS.Timeout;
  #pending: NodeJS.Immediate | null = null;

  constructor(deps: StatusDeps) {
    this.#deps = deps;
    for (const name of Object.keys(deps.helper.properties)) this.#differs(deps.helper, name);
    this.#differs(deps.rules, 'LoadErrors');
    this.#timer = setInterval(() => {
      if (deps.somebodyListens()) this.#tell(['Statistics']);
    }, STATISTICS_MS).unref();
  }

  /** Names of the properties that change, by interface. */
  get names(): ReadonlyMap<string, readonly string[]> {
    const { helper } = this.#deps;
    return new Map([[helper.name, Object.keys(helper.properties)], [INTERFACES.rules, ['LoadErrors']]]);
  }

  /** Something that is not a counter may have changed; several changes of one turn are told together. */
  changed(): void {
    this.#pending ??= setImmediate(() => {
      this.#pending = null;
      this.#tell(Object.keys(this.#deps.helper.properties).filter((name) => name !== 'Statistics'));
      this.#tellLoadErrors();
    });
  }

  close(): void {
    clearInterval(this.#timer);
    if (this.#pending !== null) clearImmediate(this.#pending);
  }

  #tell(names: readonly string[]): void {
    const { helper } = this.#deps;
    const changed: Record<string, unknown> = {};
    for (const name of names) {
      const property = helper.properties[name];
      if (property !== undefined && this.#differs(helper, name)) changed[name] = new Variant(property.signature, property.read());
    }
    if (Object.keys(changed).length > 0) this.#deps.send(helper.name, changed, []);
  }

  /** Its messages may quote rule files, which not everybody may read: only that it changed is told. */
  #tellLoadErrors(): void {
    if (this.#differs(this.#deps.rules, 'LoadErrors')) this.#deps.send(INTERFACES.rules, {}, ['LoadErrors']);
  }

  #differs(served: ServedInterface, name: string): boolean {
    const content = contentOf(served.properties[name]?.read());
    const key = `${served.name}.${name}`;
    if (this.#told.get(key) === content) return false;
    this.#told.set(key, content);
    return true;
  }
}
