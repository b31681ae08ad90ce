/** What a person should know of a rule before its sentence can be believed: each mark is a word with an icon, never a colour alone. */
import type { ApplicationInfo, RuleInfo } from '../../helper/contract/types.ts';
import { _, fill } from '../i18n.ts';
import { visible } from './plain-text.ts';
import { findingMark } from './rule-review.ts';
import type { Finding } from './rule-review.ts';
import { isExpired } from './rule-text.ts';

export interface Mark {
  readonly icon: string;
  readonly text: string;
  /** The rule does not do what its sentence says. */
  readonly isWarning: boolean;
}

export interface Surroundings {
  readonly nowMs: number;
  readonly findings: ReadonlyMap<string, Finding>;
  /** See `changedPrograms`. */
  readonly changed: ReadonlySet<string>;
  /** Id of the active profile, '' for none. */
  readonly profile: string;
}

/** What programs with a changed file are named by in rules: `path:/usr/bin/curl` and so on. */
export function changedPrograms(applications: readonly ApplicationInfo[]): ReadonlySet<string> {
  const changed = new Set<string>();
  for (const { state, kind, path } of applications) {
    if (state === 'changed' && path !== '') changed.add(`${kind === 'script' || kind === 'appimage' ? kind : 'path'}:${path}`);
  }
  return changed;
}

/** Rules that allow wait while the file of the program that they name is another one than it was. */
export function isSuspended(rule: RuleInfo, changed: ReadonlySet<string>): boolean {
  if (rule.action !== 'allow' || changed.size === 0) return false;
  return changed.has(`path:${rule.path}`) || changed.has(`script:${rule.script ?? ''}`) || changed.has(`appimage:${rule.appimage ?? ''}`);
}

/** The most important first; few, for a row has one line for them. */
export function ruleMarks(rule: RuleInfo, { nowMs, findings, changed, profile }: Surroundings): readonly Mark[] {
  const marks: Mark[] = [];
  const warn = (icon: string, text: string): void => { marks.push({ icon, text, isWarning: true }); };
  const finding = findings.get(rule.id);
  if (isExpired(rule, nowMs)) warn('alarm-symbolic', _('expired'));
  else if (!rule.enabled) warn('media-playback-pause-symbolic', _('switched off'));
  else if (rule.group_enabled === false) warn('media-playback-pause-symbolic', _('its group is switched off'));
  if (isSuspended(rule, changed)) warn('dialog-warning-symbolic', _('suspended: the program was changed'));
  if (rule.profile !== undefined && rule.profile !== '' && rule.profile !== profile) {
    warn('preferences-system-network-symbolic', fill(_('waits for the profile {name}'), { name: visible(rule.profile, 32) }));
  }
  if (finding !== undefined && finding.kind !== 'expired') {
    marks.push({ icon: 'edit-clear-all-symbolic', text: findingMark(finding.kind), isWarning: finding.kind !== 'unused' });
  }
  return marks;
}
