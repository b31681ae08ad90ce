/** Which rules name an application, and the rules that are made for it. */
import type { ApplicationInfo, RuleEdit, RuleInfo } from '../../helper/contract/types.ts';
import type { RuleAction } from '../../helper/contract/vocabulary.ts';

/** Goes before any other rule of the person: to block everything means everything. */
const BLOCK_PRIORITY = 1000;

type NamedBy = Pick<RuleEdit, 'path' | 'package' | 'flatpak' | 'snap' | 'appimage' | 'script'>;

/** What a rule names the application by; empty where nothing can name it. */
export function namedBy({ kind, path, interpreter, package: packageName, flatpak, snap }: ApplicationInfo): NamedBy {
  if (flatpak !== '') return { flatpak };
  if (snap !== '') return { snap };
  if (kind === 'appimage') return { appimage: path };
  if (kind === 'script') return interpreter === '' ? { script: path } : { script: path, path: interpreter };
  return path === '' ? { package: packageName } : { path };
}

/** Can a rule be made that names just this application? */
export function canBeNamed(info: ApplicationInfo): boolean {
  return Object.values(namedBy(info)).some((value) => value !== '');
}

/** Does the rule name it? A rule for its package does too. */
export function names(rule: RuleInfo, info: ApplicationInfo): boolean {
  const says = (mine: string | undefined, its: string): boolean => mine !== undefined && mine !== '' && mine === its;
  if (says(rule.flatpak, info.flatpak) || says(rule.snap, info.snap) || says(rule.package, info.package)) return true;
  if (info.kind === 'script') return says(rule.script, info.path);
  if (info.kind === 'appimage') return says(rule.appimage, info.path);
  const noScript = rule.script === undefined || rule.script === '';
  return noScript && says(rule.path, info.path);
}

/** A new rule about everything that it may reach. */
export function draftRule(info: ApplicationInfo, action: RuleAction): RuleEdit {
  return { ...namedBy(info), action, protocol: '' };
}

/** What `Block Everything` adds. */
export function blockRule(info: ApplicationInfo): RuleEdit {
  return { ...namedBy(info), action: 'deny', lifetime: 'always', priority: BLOCK_PRIORITY };
}
