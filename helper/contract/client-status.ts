/** The helper's properties as one status, kept up to date by PropertiesChanged. */
import type { HelperLink } from './client-link.ts';
import type { HelperStatus } from './client.ts';
import { array, string, u64 } from './codec.ts';
import type { WireType } from './codec.ts';
import { INTERFACES } from './names.ts';
import { Variant } from './transport.ts';
import type { IncomingMessage } from './transport.ts';
import { degradedReason, loadError, mode, state, statistics } from './types.ts';
import type { LoadError } from './types.ts';

const PROPERTIES = 'org.freedesktop.DBus.Properties';

type Values = Readonly<Record<string, unknown>>;

/** A dictionary of Variants as it came. */
const values: WireType<Values> = {
  signature: 'a{sv}',
  encode: (value) => value,
  decode: (value) => (typeof value === 'object' && value !== null ? (value as Values) : {}),
};
const variant: WireType<unknown> = { signature: 'v', encode: (value) => value, decode: (value) => value };

function read<T>(all: Values, name: string, type: WireType<T>): T {
  const found = all[name];
  return type.decode(found instanceof Variant ? found.value : undefined, name);
}

/** An older helper tells nothing of it. */
function trialOf(all: Values): Pick<HelperStatus, 'trial'> {
  if (all['TrialEnds'] === undefined || all['TrialBefore'] === undefined) return {};
  const endsMs = read(all, 'TrialEnds', u64);
  return endsMs === 0 ? {} : { trial: { before: read(all, 'TrialBefore', string), endsMs } };
}

function statusOf(all: Values, loadErrors: readonly LoadError[]): HelperStatus {
  return {
    version: read(all, 'Version', string),
    mode: read(all, 'Mode', mode),
    state: read(all, 'State', state),
    degradedReasons: read(all, 'DegradedReasons', array(degradedReason)),
    statistics: read(all, 'Statistics', statistics),
    pausedUntilMs: read(all, 'PausedUntil', u64),
    ...trialOf(all),
    profile: read(all, 'Profile', string),
    loadErrors,
  };
}

/** Reads the status and tells every change of it. */
export class StatusReader {
  readonly #link: HelperLink;
  readonly #tell: (status: HelperStatus) => void;
  #all: Values = {};
  #loadErrors: readonly LoadError[] = [];
  #known = false;

  constructor(link: HelperLink, tell: (status: HelperStatus) => void) {
    this.#link = link;
    this.#tell = tell;
  }

  /** Asks the helper. */
  read(): Promise<HelperStatus> {
    return this.#fetch(false);
  }

  /** Asks in the background and tells; never a dialog. A helper that does not let us see it stays untold. */
  refresh(): void {
    this.#known = false;
    this.#fetch(true).then(this.#tell, () => undefined);
  }

  /** Takes a PropertiesChanged. */
  changed(signal: IncomingMessage): void {
    const [interfaceName, changed, invalidated] = signal.body();
    if (interfaceName === INTERFACES.rules && Array.isArray(invalidated) && invalidated.includes('LoadErrors')) {
      this.#fetch(true).then(this.#tell, () => undefined);
      return;
    }
    if (interfaceName !== INTERFACES.helper || !this.#known) return;
    this.#all = { ...this.#all, ...values.decode(changed, 'changed') };
    this.#tell(statusOf(this.#all, this.#loadErrors));
  }

  async #fetch(quiet: boolean): Promise<HelperStatus> {
    const [[all], [errors]] = await Promise.all([
      this.#link.call({
        interface: PROPERTIES, member: 'GetAll', input: [string], values: [INTERFACES.helper], output: [values], quiet,
      }),
      this.#link.call({
        interface: PROPERTIES, member: 'Get', input: [string, string], values: [INTERFACES.rules, 'LoadErrors'], output: [variant], quiet,
      }),
    ]);
    this.#all = all;
    this.#loadErrors = read({ LoadErrors: errors }, 'LoadErrors', array(loadError));
    this.#known = true;
    return statusOf(this.#all, this.#loadErrors);
  }
}
