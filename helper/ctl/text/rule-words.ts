/** What a rule names, in words: its program, its destination, and what else has to hold. */
import type { RuleInfo } from '../../contract/types.ts';

/** The parts of a program's identity besides its path, and how each is written before its value. */
const PARTS = ['package', 'flatpak', 'snap', 'appimage', 'script', 'sha256'] as const;

function parts(rule: RuleInfo): readonly string[] {
  return PARTS.flatMap((part) => (rule[part] === undefined || rule[part] === '' ? [] : [`${part} ${rule[part]}`]));
}

/** `/usr/bin/python3 script /opt/tool.py`, `package curl`, `container web`; '' for any program. */
export function programWords(rule: RuleInfo): string {
  return [rule.path, ...parts(rule), given(rule.container) ? `container ${rule.container}` : ''].filter((part) => part !== '').join(' ');
}

/** `192.0.2.0/24`, `*.example.org`, `list ads`, with ` by zone home` and ` by interface wg*`; '' for anywhere. */
export function placeWords(rule: RuleInfo): string {
  const list = given(rule.list) ? `list ${rule.list}` : '';
  const zone = given(rule.zone) ? `by zone ${rule.zone}` : '';
  const by = given(rule.interface) ? `by interface ${rule.interface}` : '';
  return [rule.address, rule.domain ?? '', list, zone, by].filter((part) => part !== '').join(' ');
}

/** What else has to be so, each with what goes before it in a sentence. */
export function conditionWords(rule: RuleInfo): readonly string[] {
  return [
    ...(rule.include_children === true ? ['and the programs that it starts'] : []),
    ...(rule.all_scripts === true ? ['whatever script it runs'] : []),
    ...(rule.pin === true ? ['while its file is the trusted one'] : []),
    ...(given(rule.ancestor) ? [`started by ${rule.ancestor.replace(':', ' ').replace(/^path /, '')}`] : []),
    ...(given(rule.profile) ? [`in profile ${rule.profile}`] : []),
  ];
}

function given(text: string | undefined): text is string {
  return text !== undefined && text !== '';
}
