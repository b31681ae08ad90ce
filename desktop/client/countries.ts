/**
 * The country that an address is registered in, where a database of that is installed on this machine. Nothing is ever asked
 * of the network, and without a database no country is shown.
 */
import { closeSync, fstatSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { Reader } from 'mmdb-lib';
import type { CountryResponse } from 'mmdb-lib';
import { countryIn } from '../model/country-lines.ts';
import { isLocalAddress } from '../model/host-name.ts';

export interface CountryPlaces {
  /** Files of Tor's form. Source: Debian's tor-geoipdb. */
  readonly lines4: string;
  readonly lines6: string;
  /** Databases of MaxMind's form, the best first. Source: geoipupdate(1), DatabaseDirectory. */
  readonly trees: readonly string[];
}

/** Only folders that root alone fills. */
const PLACES: CountryPlaces = {
  lines4: '/usr/share/tor/geoip',
  lines6: '/usr/share/tor/geoip6',
  trees: ['/var/lib/GeoIP', '/usr/share/GeoIP'].flatMap((folder) => (
    ['GeoLite2-Country', 'GeoIP2-Country', 'dbip-country-lite'].map((name) => `${folder}/${name}.mmdb`)
  )),
};
/** A database of countries has some megabytes, one of cities many more: it is read as a whole. */
const TREE_LIMIT_BYTES = 32 * 1024 * 1024;
/** Answers kept; a prompt asks again each time that it is shown. */
const KEPT_LIMIT = 256;

export class Countries {
  readonly #places: CountryPlaces;
  readonly #kept = new Map<string, string>();
  /** undefined: not looked for yet. null: there is none. */
  #tree: Reader<CountryResponse> | null | undefined = undefined;

  constructor(places: CountryPlaces = PLACES) {
    this.#places = places;
  }

  /** Two capital letters, '' where nothing is known. */
  readonly find = (address: string): string => {
    if (isLocalAddress(address)) return '';
    const known = this.#kept.get(address);
    if (known !== undefined) return known;
    const country = this.#look(address);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size >= KEPT_LIMIT && oldest !== undefined) this.#kept.delete(oldest);
    this.#kept.set(address, country);
    return country;
  };

  /** Gives the memory of a database back. */
  release(): void {
    this.#tree = undefined;
  }

  #look(address: string): string {
    return inLines(isIPv6(address) ? this.#places.lines6 : this.#places.lines4, address) || this.#inTree(address);
  }

  #inTree(address: string): string {
    this.#tree ??= this.#places.trees.map(openTree).find((tree) => tree !== null) ?? null;
    // A database of IPv4 alone would take the first bits of the other kind for one.
    if (isIPv6(address) && this.#tree?.metadata.ipVersion === 4) return '';
    try {
      const code = this.#tree?.get(address)?.country?.iso_code ?? '';
      return /^[A-Z]{2}$/.test(code) ? code : '';
    } catch {
      return '';
    }
  }
}

/** A damaged or foreign file is none. */
function openTree(path: string): Reader<CountryResponse> | null {
  try {
    return statSync(path).size > TREE_LIMIT_BYTES ? null : new Reader<CountryResponse>(readFileSync(path));
  } catch {
    return null;
  }
}

function inLines(path: string, address: string): string {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return '';
  }
  try {
    const read = (offset: number, length: number): string => {
      const piece = Buffer.alloc(length);
      return piece.toString('latin1', 0, readSync(file, piece, 0, length, offset));
    };
    return countryIn(read, fstatSync(file).size, address);
  } catch {
    return '';
  } finally {
    closeSync(file);
  }
}
