/** Bounds of what lists can make the helper hold. Above them a list is refused as a whole, and what it said before stays. */
export const LIST_LIMITS = {
  /** Of one list, as text, after decompression. */
  bytes: 64 * 1024 * 1024,
  /** Of one list; exceptions count as names. */
  domains: 2_000_000,
  prefixes: 500_000,
  /** Of all lists together. */
  allDomains: 4_000_000,
  allPrefixes: 1_000_000,
} as const;

/** The limits that tests make small. */
export type ListLimitNumbers = { readonly [K in keyof typeof LIST_LIMITS]: number };
