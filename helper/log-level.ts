/** What is written into the journal: BASTION_LOG at the start, bastion.toml when it changes, bastionctl at any time; the last word counts. */
import { BastionError } from './contract/errors.ts';
import { LOG_LEVELS } from './parsers.ts';
import type { Logger, LogLevel } from './ports.ts';

const VARIABLE = 'BASTION_LOG';

function levelOf(text: string): LogLevel | null {
  return LOG_LEVELS.find((one) => one === text) ?? null;
}

export class LogLevelSwitch {
  readonly #logger: Logger;
  /** What the file said last; undefined before it was read. */
  #file: LogLevel | null | undefined;
  readonly #fromEnvironment: boolean;

  constructor(logger: Logger, environment: NodeJS.ProcessEnv) {
    this.#logger = logger;
    const wanted = environment[VARIABLE] ?? '';
    const level = levelOf(wanted);
    this.#fromEnvironment = level !== null;
    if (level !== null) logger.setLevel(level);
    else if (wanted !== '') logger.log('warning', `${VARIABLE} names no level and is ignored`, { value: wanted, levels: LOG_LEVELS.join(', ') });
  }

  /** Of bastion.toml, read for the first time or again; a level that it has said before changes nothing. */
  fromFile(level: LogLevel | null): void {
    const isFirst = this.#file === undefined;
    const isNew = level !== this.#file;
    this.#file = level;
    if (level !== null && isNew && !(isFirst && this.#fromEnvironment)) this.#logger.setLevel(level);
  }

  /** Throws BastionError InvalidArgument for an unknown level. */
  set(text: string): void {
    const level = levelOf(text);
    if (level === null) throw new BastionError('InvalidArgument', `The levels are ${LOG_LEVELS.join(', ')}.`);
    this.#logger.setLevel(level);
  }
}
