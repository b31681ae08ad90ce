/** One list: where its text comes from, what of it is in force, and what went wrong last. */
import { dirname } from 'node:path';
import type { LoadedList } from '../../lists/loaded-list.ts';
import type { ListDefinition, Logger } from '../../ports.ts';
import { FileWatch } from '../rule-store/file-watch.ts';
import { checkTrustedFolder, readTrustedFile } from '../trusted-file.ts';
import type { Outcome } from '../trusted-file.ts';
import type { ShelfNote } from './shelf.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** After a failure: one minute, then longer, until the list's own time. */
const AGAIN_MS = [MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS, HOUR_MS, 6 * HOUR_MS] as const;

export class ListSource {
  readonly definition: ListDefinition;
  /** Null until something could be read; stays through every failure. */
  loaded: LoadedList | null = null;
  note: ShelfNote | null = null;
  /** Why the text that should be in force is not; '' when it is. */
  error = '';
  /** Waits for its turn, or is being read or fetched. */
  busy = false;
  /** Its file changed while it was busy. */
  again = false;
  /** Wall time of the next request, ms since 1970; 0 for never. */
  nextMs = 0;
  #failures = 0;
  #watch: FileWatch | null = null;
  #stopWatching: () => void = () => undefined;

  constructor(definition: ListDefinition) {
    this.definition = definition;
  }

  get id(): string {
    return this.definition.id;
  }

  /** Where its text comes from. */
  get place(): string {
    return this.definition.url ?? this.definition.file ?? '';
  }

  /** Plans the next request; `nowMs` is wall time. */
  succeeded(nowMs: number): void {
    this.error = '';
    this.#failures = 0;
    this.nextMs = this.definition.url === null ? 0 : nowMs + this.#everyMs;
  }

  failed(message: string, nowMs: number): void {
    const wait = AGAIN_MS[Math.min(this.#failures, AGAIN_MS.length - 1)] ?? HOUR_MS;
    this.error = message;
    this.#failures += 1;
    this.nextMs = this.definition.url === null ? 0 : nowMs + Math.min(wait, this.#everyMs);
  }

  /** The next request of a copy that is there: at once where its time has come, or was noted by a clock that ran ahead. */
  planAfter(checkedMs: number, nowMs: number): void {
    this.nextMs = checkedMs > nowMs ? nowMs : Math.max(nowMs, checkedMs + this.#everyMs);
  }

  /** The text of a local file. */
  async read(limitBytes: number): Promise<Outcome<Buffer>> {
    const { file } = this.definition;
    if (file === null) throw new TypeError('this list is no file');
    this.#watch?.setKnown(await this.#watch.snapshot());
    const folder = await checkTrustedFolder(dirname(file));
    return folder.ok ? readTrustedFile(file, limitBytes) : folder;
  }

  watch(logger: Logger, changed: () => void): void {
    const { file } = this.definition;
    if (file === null || this.#watch !== null) return;
    this.#watch = new FileWatch([], [file], logger);
    this.#stopWatching = this.#watch.listen(changed);
  }

  close(): void {
    this.#stopWatching();
    this.#watch = null;
  }

  get #everyMs(): number {
    return this.definition.updateHours * HOUR_MS;
  }
}
