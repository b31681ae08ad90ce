/** Profiles in words: which one is in force, why, and what may be chosen. */
import type { ProfileInfo } from '../../helper/contract/types.ts';
import { _, fill } from '../i18n.ts';
import { visible } from './plain-text.ts';

export interface ProfileChoice {
  /** '' goes by the network. */
  readonly id: string;
  readonly text: string;
}

/** The name, or the id of a profile without one. */
export function profileName({ name, id }: ProfileInfo): string {
  return visible(name === '' ? id : name, 80);
}

/** The first choice is the network; `selected` is what holds now. Empty without profiles. */
export function profileChoices(profiles: readonly ProfileInfo[]): { readonly choices: readonly ProfileChoice[]; readonly selected: number } {
  if (profiles.length === 0) return { choices: [], selected: 0 };
  const active = profiles.find((profile) => profile.active);
  const byHand = profiles.findIndex((profile) => profile.chosen);
  const network = byHand >= 0 ? _('By the network')
    : active === undefined ? _('By the network (none now)') : fill(_('By the network ({profile} now)'), { profile: profileName(active) });
  return {
    choices: [{ id: '', text: network }, ...profiles.map((profile) => ({ id: profile.id, text: profileName(profile) }))],
    selected: byHand + 1,
  };
}

/** Why it is in force, or when it would be. */
export function profileReason({ active, chosen, recognized, is_default: isDefault, has_network: hasNetwork }: ProfileInfo): string {
  if (chosen) return _('In use, chosen by hand until this computer restarts.');
  if (recognized) return active ? _('In use: this is its network.') : _('This is its network, but another profile was chosen or goes first.');
  if (isDefault) return active ? _('In use, because no network was recognized.') : _('In use where no network is recognized.');
  return hasNetwork ? _('In use in its own network.') : _('In use when it is chosen by hand.');
}

export interface ProfileRow {
  /** '' goes by the network. */
  readonly id: string;
  readonly title: string;
  readonly text: string;
  readonly inUse: boolean;
  /** It is what the person has chosen, so that there is nothing to press. */
  readonly chosen: boolean;
}

/** The network first, then each profile; empty without any. */
export function profileRows(profiles: readonly ProfileInfo[]): readonly ProfileRow[] {
  if (profiles.length === 0) return [];
  const byHand = profiles.some((profile) => profile.chosen);
  const network = {
    id: '', title: _('By the network'), inUse: false, chosen: !byHand,
    text: byHand ? _('Use the profile of the current network instead of the chosen one.')
      : _('The profile of the current network is used automatically.'),
  };
  return [network, ...profiles.map((profile) => ({
    id: profile.id, title: profileName(profile), text: profileReason(profile), inUse: profile.active, chosen: profile.chosen,
  }))];
}
