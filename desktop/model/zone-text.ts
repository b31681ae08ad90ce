/** One zone in words: who belongs to it, and the address sets that are kept for it. */
import { assertNever } from '../../helper/contract/errors.ts';
import type { NetworkSet, NetworkZone } from '../../helper/contract/types.ts';
import { _, fill, ngettext } from '../i18n.ts';
import { countText } from './durations.ts';
import { containerRow } from './container-text.ts';
import { ROWS_SHOWN, interfaceRow, namesText } from './network-text.ts';
import type { NetworkRow, NetworkView } from './network-text.ts';
import { visible } from './plain-text.ts';

/** Lines of one set; more are counted, and listed by bastionctl. */
const ELEMENTS_SHOWN = 50;

/** `Named in bastion.toml: eth0 and wg*`; a zone can have containers alone. */
export function patternsText({ patterns }: NetworkZone): string {
  if (patterns.length === 0) return _('No [[interface]] of bastion.toml names it.');
  return fill(_('Named in bastion.toml: {names}'), { names: namesText(patterns) });
}

/** Interfaces and containers of the zone, as the page lists them; names that it does not list stand for themselves. */
export function memberRows({ interfaces, containers = [] }: NetworkZone, view: NetworkView): readonly NetworkRow[] {
  const links = new Map(view.interfaces.map((one) => [one.name, one]));
  const running = new Map(view.containers.map((one) => [one.name, one]));
  const bare = (icon: string, name: string): NetworkRow => ({ icon, title: visible(name, 128), text: '', isWrong: false });
  const rows = [
    ...interfaces.slice(0, ROWS_SHOWN).map((name) => {
      const one = links.get(name);
      return one === undefined ? bare('network-wired-symbolic', name) : interfaceRow(one);
    }),
    ...containers.slice(0, ROWS_SHOWN).map((name) => {
      const one = running.get(name);
      return one === undefined ? bare('package-x-generic-symbolic', name) : containerRow(one);
    }),
  ];
  return rows.slice(0, ROWS_SHOWN);
}

/** A set as it is shown: its state, its content line by line, and the command that mends it. */
export interface SetText {
  readonly icon: string;
  readonly title: string;
  readonly state: string;
  /** '' for nothing. */
  readonly content: string;
  /** '' for none. */
  readonly command: string;
  readonly isWrong: boolean;
}

/** What the helper says is a sentence, and the command at its end where there is one. */
export function splitProblem(problem: string): { readonly sentence: string; readonly command: string } {
  const found = /(?:sudo )?\bnft (?:-\w+ )*(?:'|add |create |delete |destroy ).*$/su.exec(problem);
  if (found === null) return { sentence: visible(problem, 400), command: '' };
  const command = found[0].trim().replace(/[.`”]+$/u, '');
  const before = problem.slice(0, found.index).replace(/[`“\s]+$/u, '');
  return { sentence: visible(before, 400), command: visible(command.startsWith('sudo ') ? command : `sudo ${command}`, 600) };
}

function stateText({ state, version, elements }: NetworkSet): string {
  const family = version === 6 ? 'IPv6' : 'IPv4';
  switch (state) {
    case 'current': return fill(ngettext('{family}, up to date, {number} entry', '{family}, up to date, {number} entries', elements.length), { family, number: countText(elements.length) });
    case 'waiting': return fill(_('{family}, not looked at yet'), { family });
    case 'missing': return fill(_('{family}, there is no such set'), { family });
    case 'failed': return fill(_('{family}, could not be filled'), { family });
    default: return assertNever(state);
  }
}

export function setText(set: NetworkSet): SetText {
  const { name, state, problem, elements, others } = set;
  const isWrong = state === 'missing' || state === 'failed';
  const { sentence, command } = splitProblem(problem);
  const more = elements.length - ELEMENTS_SHOWN;
  const content = [
    ...elements.slice(0, ELEMENTS_SHOWN).map((element) => visible(element, 128)),
    ...(more <= 0 ? [] : [fill(ngettext('and {number} more', 'and {number} more', more), { number: countText(more) })]),
  ];
  const foreign = others === 0 ? '' : fill(ngettext('{number} entry was put there by others.', '{number} entries were put there by others.', others), { number: countText(others) });
  return {
    icon: isWrong ? 'dialog-warning-symbolic' : state === 'waiting' ? 'content-loading-symbolic' : 'object-select-symbolic',
    title: visible(name, 200), state: [stateText(set), foreign, sentence].filter((part) => part !== '').join('\n'),
    content: content.join('\n'), command, isWrong,
  };
}

/** Who uses the zone. */
export function usedByText(usedBy: readonly string[]): string {
  if (usedBy.length === 0) return _('No rule names it.');
  return fill(ngettext('{number} rule names it.', '{number} rules name it.', usedBy.length), { number: countText(usedBy.length) });
}
