/** One text that names who a flow is of, the same over updates and for the rows of every version of the program. */

/** Absent and null parts are not known. */
export interface ProgramParts {
  readonly path?: string | null;
  readonly flatpak?: string | undefined;
  readonly snap?: string | undefined;
  readonly appImage?: string | undefined;
  readonly script?: string | undefined;
  /** Who a forwarded flow comes from. */
  readonly forwardedFrom?: string | null | undefined;
}

/** `from:WHO`, `flatpak:ID`, `snap:NAME`, else `path:` and the script, the AppImage or the executable; `path:` where nothing is known. */
export function programKey({ path, flatpak, snap, appImage, script, forwardedFrom }: ProgramParts): string {
  if (forwardedFrom != null && forwardedFrom !== '') return `from:${forwardedFrom}`;
  if (flatpak !== undefined) return `flatpak:${flatpak}`;
  if (snap !== undefined) return `snap:${snap}`;
  return `path:${script ?? appImage ?? path ?? ''}`;
}
