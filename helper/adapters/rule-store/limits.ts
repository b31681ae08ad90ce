/** Bounds of what files can make the helper hold. Each has a report or a counter, and a test at the limit. */
export const LIMITS = {
  fileBytes: 4 * 1024 * 1024,
  files: 1000,
  rules: 100_000,
  /** Complaints told about one file; a last one says how many were left out. */
  problemsPerFile: 20,
  /** Complaints told in all. */
  problems: 200,
  /** Programs looked up on disk to warn about links. */
  linkChecks: 1000,
  /** Different user names looked up in one load. */
  userNames: 1000,
  /** Tables `[[interface]]` and `[[profile]]` of bastion.toml. */
  interfaces: 256,
  profiles: 64,
  /** Entries of `allow` of one `[[zone]]`, and ports and ranges in one of them. */
  inboundAllow: 64,
  inboundPorts: 32,
  /** Tables `[[zone]]`. */
  zones: 64,
  idLength: 64,
  nameLength: 128,
  groupLength: 64,
  userLength: 64,
  /** PATH_MAX without its NUL. Source: linux/limits.h. */
  pathBytes: 4095,
  /** Longest text form of a port, protocol, address or schedule. */
  termLength: 256,
} as const;

/** The limits that tests make small. */
export type StoreLimits = Pick<Record<keyof typeof LIMITS, number>, 'fileBytes' | 'files' | 'rules'>;
