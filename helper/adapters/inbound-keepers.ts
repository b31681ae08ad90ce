/**
 * Which other firewall judges what comes in: ufw by its configuration and its chains, firewalld by its name on the bus, which
 * only root can own. Source: ufw(8), ufw-framework(8); firewalld.dbus(5).
 */
import { readFile } from 'node:fs/promises';
import { BUS } from '../contract/transport.ts';
import type { BusConnection } from '../contract/transport.ts';
import { parseSaved, tableOf } from './netfilter/saved.ts';
import { BACKENDS, findTools, listRules } from './netfilter/tool.ts';

const FIREWALLD = 'org.fedoraproject.FirewallD1';
const UFW_CONFIG = '/etc/ufw/ufw.conf';
const UFW_CHAIN = 'ufw-before-input';
/** Both are short files; another one is not read to its end. */
const CONFIG_CHARACTERS = 16_384;

/** A firewall for what comes in that is not ours. */
export type OtherKeeper = 'ufw' | 'firewalld';

export interface InboundKeepersOptions {
  /** Tests have another one. */
  readonly ufwConfig?: string;
  /** Are the chains of ufw in force? Tests have their own answer. */
  readonly hasUfwChains?: () => Promise<boolean>;
}

/** Does /etc/ufw/ufw.conf say that ufw is on? A shell reads the file, so the last assignment counts. */
export function isUfwEnabled(config: string): boolean {
  const values = [...config.slice(0, CONFIG_CHARACTERS).matchAll(/^\s*ENABLED=(["']?)(\w*)\1\s*(?:#.*)?$/gmu)].map(([, , value = '']) => value.toLowerCase());
  return values.at(-1) === 'yes';
}

/** With either backend; a table that cannot be listed has none that we could see. */
async function hasUfwChains(): Promise<boolean> {
  for (const backend of BACKENDS) {
    const tools = findTools(backend, 4);
    const listing = tools === null ? '' : await listRules(tools).catch(() => '');
    if (tableOf(parseSaved(listing), 'filter').chains.includes(UFW_CHAIN)) return true;
  }
  return false;
}

export class InboundKeepers {
  readonly #bus: Pick<BusConnection, 'callBus' | 'addMatch' | 'onSignal'>;
  readonly #ufwConfig: string;
  readonly #hasUfwChains: () => Promise<boolean>;

  constructor(bus: Pick<BusConnection, 'callBus' | 'addMatch' | 'onSignal'>, options: InboundKeepersOptions = {}) {
    this.#bus = bus;
    this.#ufwConfig = options.ufwConfig ?? UFW_CONFIG;
    this.#hasUfwChains = options.hasUfwChains ?? hasUfwChains;
  }

  /** null: nobody else. Never rejects: what cannot be asked is not there. */
  async find(): Promise<OtherKeeper | null> {
    const [owned] = await this.#bus.callBus('NameHasOwner', 's', [FIREWALLD]).catch(() => [false]);
    if (owned === true) return 'firewalld';
    const config = await readFile(this.#ufwConfig, 'utf8').catch(() => '');
    return isUfwEnabled(config) && await this.#hasUfwChains() ? 'ufw' : null;
  }

  /** Calls back when firewalld has come or gone. */
  async watch(changed: () => void): Promise<void> {
    this.#bus.onSignal((signal) => {
      if (signal.sender === BUS.name && signal.member === 'NameOwnerChanged' && signal.body()[0] === FIREWALLD) changed();
    });
    await this.#bus.addMatch(`type='signal',sender='${BUS.name}',member='NameOwnerChanged',arg0='${FIREWALLD}'`).catch(() => undefined);
  }
}
