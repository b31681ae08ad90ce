/** What an engine's answers may cost, and how long they may take. An engine of a user may be that user's own program. */

export const ENGINE_LIMITS = {
  /** Read as it comes; only ids are kept of it. */
  listBytes: 32 * 1024 * 1024,
  answerBytes: 1024 * 1024,
  eventBytes: 64 * 1024,
  /** Of a response; more ends the connection. */
  headerBytes: 16 * 1024,
  containers: 4096,
  addresses: 64,
  networks: 64,
  nameCharacters: 128,
  imageCharacters: 256,
  /** Events that are read in one second; then all containers are looked at again instead. */
  eventsPerSecond: 2000,
  eventBytesPerSecond: 1024 * 1024,
} as const;

export interface SizeLimits {
  readonly listBytes: number;
  readonly answerBytes: number;
  readonly containers: number;
}

/** Of an engine that belongs to a user: less, because whatever it answers costs that user nothing. */
export const USER_ENGINE_LIMITS: SizeLimits = { listBytes: 8 * 1024 * 1024, answerBytes: 128 * 1024, containers: 256 };

/** Milliseconds. */
export interface EngineTimes {
  readonly connect: number;
  readonly headers: number;
  /** A whole answer, however slowly it comes. */
  readonly answer: number;
  /** Events of so long are looked at together. */
  readonly gather: number;
  /** The same for an engine of a user. */
  readonly gatherOfUser: number;
  readonly firstWait: number;
  readonly longestWait: number;
  /** A connection that lasted so long was a good one: the next wait is the first again. */
  readonly good: number;
  /** How long what was known still counts when the connection is lost: an engine may start again beneath its containers. */
  readonly grace: number;
  /** Between two listings of everything. */
  readonly list: number;
}

export const ENGINE_TIMES: EngineTimes = {
  connect: 2000, headers: 5000, answer: 15_000, gather: 20, gatherOfUser: 500, firstWait: 1000, longestWait: 60_000, good: 60_000,
  grace: 30_000, list: 5000,
};
