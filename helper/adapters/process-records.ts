/** What the kernel recorded of processes: port `ProcessRecords`, with a short memory, because each flow of a program asks for the same. */
import { recordedPath } from '../contract/recorded-path.ts';
import type { BootNs, ExecutableId } from '../contract/vocabulary.ts';
import type { ProcessRecord, ProcessRecords, RecordedImage } from '../ports.ts';
import type { NativeDataPath, NativeImage } from '../../native/binding.ts';
import type { FileCheck } from './file-check.ts';
import { Lru } from './lru.ts';

const REMEMBERED_NS = 1_000_000_000n;
const REMEMBERED_LIMIT = 1024;

interface Remembered {
  readonly record: ProcessRecord;
  readonly untilNs: bigint;
}

export class RememberedRecords implements ProcessRecords {
  readonly #path: Pick<NativeDataPath, 'processImage' | 'processRecord'>;
  readonly #check: Pick<FileCheck, 'matches'>;
  readonly #bootNs: () => bigint;
  readonly #known = new Lru<Remembered>(REMEMBERED_LIMIT);

  constructor(path: Pick<NativeDataPath, 'processImage' | 'processRecord'>, check: Pick<FileCheck, 'matches'>, bootNs: () => bigint) {
    this.#path = path;
    this.#check = check;
    this.#bootNs = bootNs;
  }

  /** What was recorded at one exec does not change, where the files are may: that is looked at again after a second. */
  get(pid: number, startNs: BootNs, ran?: ExecutableId): ProcessRecord | null {
    const image = this.#path.processImage(pid, startNs);
    if (image === null) return null;
    const meant = ran === undefined ? '' : `${String(ran.device)} ${String(ran.inode)} ${String(ran.generation)}`;
    const key = `${String(pid)} ${String(startNs)} ${image} ${meant}`;
    const nowNs = this.#bootNs();
    const known = this.#known.get(key);
    if (known !== undefined && nowNs < known.untilNs) return known.record;
    const record = this.#read(pid, startNs, ran);
    if (record?.image?.path != null) this.#known.set(key, { record, untilNs: nowNs + REMEMBERED_NS });
    return record;
  }

  #read(pid: number, startNs: BootNs, ran?: ExecutableId): ProcessRecord | null {
    const record = this.#path.processRecord(pid, startNs, ran);
    if (record === null) return null;
    const { image, ancestors, complete } = record;
    return { image: image === null ? null : this.#imageOf(image), ancestors: ancestors.map((one) => this.#imageOf(one)), complete };
  }

  #imageOf(image: NativeImage): RecordedImage {
    const { path: claimed, exec } = image;
    return {
      ...image,
      path: claimed !== null && this.#check.matches(image.executable, claimed) ? claimed : null,
      exec: exec === null ? null : { ...exec, script: exec.isScript ? recordedPath(exec.filename ?? '', exec.workingDirectory) : null },
    };
  }
}
