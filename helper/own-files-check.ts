/** Verifies the product's own files at the start and says what is wrong as a reason of the state. */
import { ownFilesProblem, ownFilesRemedy, verifyOwnFiles } from './adapters/own-files.ts';
import type { OwnFiles, OwnFilesOptions } from './adapters/own-files.ts';
import type { Check, DegradedReason } from './contract/types.ts';
import type { Logger } from './ports.ts';

/** An update may be half-way when the helper starts: what is wrong is looked at again before it is told. */
const AGAIN_MS = 5000;

export interface OwnFilesCheckDeps {
  readonly files: OwnFilesOptions;
  readonly logger: Logger;
  onReasons(reasons: readonly DegradedReason[]): void;
  readonly againMs?: number;
}

export class OwnFilesCheck {
  readonly #deps: OwnFilesCheckDeps;
  #timer: NodeJS.Timeout | null = null;

  constructor(deps: OwnFilesCheckDeps) {
    this.#deps = deps;
  }

  /** Looks now, and once more before anything is told. Never rejects. */
  async start(): Promise<void> {
    const found = await verifyOwnFiles(this.#deps.files);
    if (found.record === null) this.#deps.logger.log('info', 'there is no list of the files of Bastion Firewall to verify them by');
    if (ownFilesProblem(found) === '') return;
    this.#timer = setTimeout(() => void this.#again(), this.#deps.againMs ?? AGAIN_MS).unref();
  }

  /** For SelfTest: looks at this moment. */
  async check(): Promise<Check> {
    const found = await verifyOwnFiles(this.#deps.files);
    this.#tell(found);
    const problem = ownFilesProblem(found);
    const fine = found.record === null ? 'There is no list to verify them by.' : `${String(found.checked)} files are as they were installed.`;
    return { name: 'files', ok: problem === '', detail: problem === '' ? fine : problem };
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  async #again(): Promise<void> {
    const found = await verifyOwnFiles(this.#deps.files);
    const problem = ownFilesProblem(found);
    if (problem !== '') this.#deps.logger.log('error', problem);
    this.#tell(found);
  }

  #tell(found: OwnFiles): void {
    const problem = ownFilesProblem(found);
    const reason = { code: 'files', text: problem, remedy: ownFilesRemedy(found) };
    this.#deps.onReasons(problem === '' ? [] : [reason]);
  }
}
