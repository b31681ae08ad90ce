/** Lists of destinations. Types only. */
import type { ListFormat } from '../contract/vocabulary.ts';

/** Lists of destinations (`[[list]]`), loaded and ready. Both answers take under 2 us whatever the size. */
export interface Lists {
  /** Is the name, or one that it lies below, in the list? `name` in small letters, without the last dot. */
  hasName(list: string, name: string): boolean;
  /** Is the address (canonical text) in the list? */
  hasAddress(list: string, address: string): boolean;
  /** Does the list hold names, addresses? A list that could not be loaded holds neither. */
  holds(list: string): { readonly names: boolean; readonly addresses: boolean };
  /** Content of some list changed. Returns the way to stop. */
  onChanged(changed: () => void): () => void;
  /** A fingerprint of all contents. */
  digest(): string;
}

/** What is known of one list, for people. */
export interface ListState {
  readonly id: string;
  readonly name: string;
  /** URL or path. */
  readonly source: string;
  /** What it was read as. */
  readonly format: ListFormat;
  readonly domains: number;
  readonly prefixes: number;
  /** Names that the list excepts. */
  readonly exceptions: number;
  /** Lines that were left out. */
  readonly ignored: number;
  /** Wall time at which its text last changed, ms since 1970; 0 where nothing is loaded. */
  readonly updatedMs: number;
  /** Wall time of the next request; 0 for a file. */
  readonly nextMs: number;
  /** Why its text is not what it should be, '' when it is. */
  readonly error: string;
  readonly updating: boolean;
}
