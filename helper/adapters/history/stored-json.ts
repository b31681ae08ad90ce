/** Identities and lineages as JSON: written for the history, and read with care. */
import { INTEGRITIES } from '../../contract/vocabulary.ts';
import type { Ancestor, Identity, Integrity, KnownName } from '../../contract/vocabulary.ts';

const TEXT_KEYS = ['package', 'flatpak', 'snap', 'appImage', 'script', 'sha256'] as const;
const FLAG_KEYS = ['interpreter', 'trusted'] as const;

/** An object's entries; none for anything else. */
export function readObject(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

/** A list's elements; none for anything else. Throws SyntaxError for what is no JSON. */
export function readList(json: string): readonly unknown[] {
  const parsed: unknown = JSON.parse(json);
  return Array.isArray(parsed) ? parsed : [];
}

function integrityOf(value: unknown): Integrity | undefined {
  return INTEGRITIES.find((one) => one === value);
}

/** What is not as it should be is left out: a part that is not known matches no rule that names it. */
export function readIdentity(value: unknown): Identity {
  const stored = readObject(value);
  const texts = TEXT_KEYS.map((key) => [key, stored[key]] as const).filter(([, one]) => typeof one === 'string');
  const flags = FLAG_KEYS.map((key) => [key, stored[key]] as const).filter(([, one]) => typeof one === 'boolean');
  const { path, scriptEvidence } = stored;
  const integrity = integrityOf(stored['integrity']);
  return {
    path: typeof path === 'string' ? path : null,
    ...Object.fromEntries([...texts, ...flags]),
    ...(scriptEvidence === 'exec' || scriptEvidence === 'claimed' ? { scriptEvidence } : {}),
    ...(integrity === undefined ? {} : { integrity }),
  };
}

/** One text for one program: the same parts give the same text, in whatever order they were set. */
export function identityJson(identity: Identity): Readonly<Record<string, unknown>> {
  const { path, package: packageName, flatpak, snap, appImage, interpreter, script, scriptEvidence, sha256, integrity, trusted } = identity;
  return { path, package: packageName, flatpak, snap, appImage, interpreter, script, scriptEvidence, sha256, integrity, trusted };
}

/** `[["example.org","program"]]` */
export function namesJson(names: readonly KnownName[]): string {
  return JSON.stringify(names.map(({ name, source }) => [name, source]));
}

/** Without pids, but for the first process: the same programs started by the same ones are one lineage. */
export function ancestorsJson(ancestors: readonly Ancestor[]): string {
  return JSON.stringify(ancestors.map(({ pid, path, command, identity }) => ({
    ...(pid === 1 ? { pid } : {}), path, command, ...(identity === undefined ? {} : { identity: identityJson(identity) }),
  })));
}
