/** Everything that a prompt says, as plain text: escaping for markup is the widget's part. */
import type { PromptInfo } from '../../helper/contract/types.ts';
import { assertNever } from '../../helper/contract/errors.ts';
import { _, fill, ngettext } from '../i18n.ts';
import { coversChildren, domainWords } from './choices.ts';
import type { Chosen, PromptLifetime } from './choices.ts';
import { countryName } from './country-text.ts';
import { countText } from './durations.ts';
import { showHost } from './host-name.ts';
import { visible } from './plain-text.ts';
import { ancestorName, asker } from './program-name.ts';
import type { FindProgram } from './program-name.ts';
import { TERMINALS } from './program-kinds.ts';
import { promptWarning } from './prompt-warning.ts';
import { portPhrase, serviceName } from './service-name.ts';

export function promptTitle(prompt: PromptInfo, find: FindProgram): string {
  return fill(_('{program} wants to connect'), { program: asker(prompt, find) });
}

/**
 * `started by build.sh, in Terminal`: the nearest program that is another one, and the terminal or application with a desktop
 * file further up; '' where nobody is known.
 */
export function startedBy(prompt: PromptInfo, find: FindProgram): string {
  const others = prompt.ancestors.filter((one) => one.path !== '' && (one.path !== prompt.path || one.script !== prompt.script));
  const [starter, ...further] = others;
  if (starter === undefined) return '';
  const program = ancestorName(starter, find);
  const isPlace = (path: string): boolean => TERMINALS.test(path) || find(path) !== null;
  const place = isPlace(starter.path) ? undefined : further.find(({ path }) => isPlace(path));
  if (place === undefined) return fill(_('started by {program}'), { program });
  return fill(_('started by {program}, in {place}'), { program, place: ancestorName(place, find) });
}

/** `encrypted web (443) · started by build.sh, in Terminal`. */
export function promptSubtitle(prompt: PromptInfo, find: FindProgram): string {
  return [serviceName(prompt.protocol, prompt.port), startedBy(prompt, find)].filter((part) => part !== '').join('  ·  ');
}

/** The destination as it is shown large; "perhaps" before a name when nobody knows which program asked for it. */
export function hostTitle(prompt: PromptInfo): string {
  const host = showHost(prompt.destination).name;
  return prompt.name_sources[0] === 'machine' ? fill(_('perhaps {host}'), { host }) : host;
}

/** `203.0.113.7  ·  Germany`, under a name; of a lookup the name server. `country`: two capital letters or ''. */
export function placeLine(prompt: PromptInfo, country: string): string {
  const address = visible(prompt.address, 64);
  if (prompt.is_lookup) return fill(_('asks the name server {address}'), { address });
  return [prompt.destination === prompt.address ? '' : address, countryName(country)].filter((part) => part !== '').join('  ·  ');
}

/** The body of the notification: `example.org, encrypted web (443)`. */
export function promptBody(prompt: PromptInfo): string {
  const host = showHost(prompt.destination);
  const name = host.other === '' ? hostTitle(prompt) : `${hostTitle(prompt)} (${host.other})`;
  return fill(_('{host}, {service}'), { host: name, service: serviceName(prompt.protocol, prompt.port) });
}

/** The same with the warning where there is one: nobody is to allow from a notification what the window would warn of. */
export function notificationBody(prompt: PromptInfo, find: FindProgram): string {
  return [promptBody(prompt), promptWarning(prompt, find)].filter((part) => part !== '').join('\n');
}

/** A lookup is for its name, by whichever port it is reached then; without a name that counts, for the name server. */
function lookupPhrase(prompt: PromptInfo, scope: 'host' | 'domain', lifetime: PromptLifetime): string {
  if (lifetime === 'once') return showHost(prompt.destination).name;
  if (scope === 'domain') return fill(_('{host} on any port'), { host: domainWords(prompt) });
  return prompt.by_name === undefined
    ? fill(_('the name server {address}'), { address: visible(prompt.address, 64) })
    : fill(_('{host} on any port'), { host: showHost(prompt.by_name).name });
}

function targetPhrase(prompt: PromptInfo, { scope, lifetime }: Chosen): string {
  const port = portPhrase(prompt.protocol, prompt.port);
  if (prompt.is_lookup && (scope === 'host' || scope === 'domain')) return lookupPhrase(prompt, scope, lifetime);
  switch (scope) {
    case 'host': return fill(_('{host} on {port}'), { host: showHost(prompt.destination).name, port });
    case 'domain': return fill(_('{host} on {port}'), { host: domainWords(prompt), port });
    case 'port': return fill(_('any host on {port}'), { port });
    case 'any': return _('any host on any port');
    default: return assertNever(scope);
  }
}

const MAY: Readonly<Record<PromptLifetime, () => string>> = {
  once: () => _('{program} may reach {target} this once.'),
  process: () => _('{program} may reach {target} while it runs.'),
  until: () => _('{program} may reach {target} for 1 hour.'),
  session: () => _('{program} may reach {target} until you log out.'),
  boot: () => _('{program} may reach {target} until this computer restarts.'),
  always: () => _('{program} may always reach {target}.'),
};
const MAY_NOT: Readonly<Record<PromptLifetime, () => string>> = {
  once: () => _('{program} may not reach {target} this once.'),
  process: () => _('{program} may not reach {target} while it runs.'),
  until: () => _('{program} may not reach {target} for 1 hour.'),
  session: () => _('{program} may not reach {target} until you log out.'),
  boot: () => _('{program} may not reach {target} until this computer restarts.'),
  always: () => _('{program} may never reach {target}.'),
};

/** The rule that an answer makes, in one sentence, and in further ones what else it does. */
export function ruleSentence(prompt: PromptInfo, action: 'allow' | 'deny', chosen: Chosen, find: FindProgram): string {
  const sentence = fill((action === 'allow' ? MAY : MAY_NOT)[chosen.lifetime](), {
    program: asker(prompt, find), target: targetPhrase(prompt, chosen),
  });
  const named = prompt.by_name !== undefined && (chosen.scope === 'host' || chosen.scope === 'domain');
  const follows = action === 'allow' && prompt.is_lookup && !named && chosen.lifetime !== 'once' && chosen.scope !== 'any';
  return [
    sentence,
    ...(coversChildren(prompt, chosen) ? [action === 'allow' ? _('So may the programs that it starts.') : _('Nor may the programs that it starts.')] : []),
    ...(follows ? [fill(_('This once it may also reach {host}.'), { host: showHost(prompt.destination).name })] : []),
  ].join(' ');
}

/** Under the buttons when others wait; '' when none does. */
export function waitingText(others: number): string {
  if (others === 0) return '';
  return fill(ngettext('{number} more is waiting', '{number} more are waiting', others), { number: String(others) });
}

/** The summary of the one notification that stands for several prompts. */
export function severalTitle(programs: number): string {
  return fill(ngettext('{number} program is waiting', '{number} programs are waiting', programs), { number: String(programs) });
}

const NAMED_PROGRAMS = 3;

/** The body of that notification: `Firefox, git, ssh and 4 more`. */
export function severalBody(prompts: readonly PromptInfo[], find: FindProgram): string {
  const names = [...new Set(prompts.map((prompt) => asker(prompt, find)))];
  const shown = names.slice(0, NAMED_PROGRAMS).join(', ');
  const more = names.length - NAMED_PROGRAMS;
  if (more <= 0) return shown;
  return fill(ngettext('{names} and {number} more', '{names} and {number} more', more), { names: shown, number: String(more) });
}

/** Said when the person is back. */
export function missedText(count: number): string {
  return fill(ngettext(
    '{number} question ran out of time while the screen was locked', '{number} questions ran out of time while the screen was locked', count,
  ), { number: countText(count) });
}

/** Said after an answer that came too late for the flow itself. */
export function lateAnswerText(action: 'allow' | 'deny', prompt: PromptInfo, find: FindProgram): string {
  const program = asker(prompt, find);
  return action === 'allow' ? fill(_('Allowed. Try again in {program}.'), { program }) : fill(_('Denied for {program}.'), { program });
}
