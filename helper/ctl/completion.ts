/** Completion scripts for bash, zsh and fish, made from the command tree. */
import { GLOBAL_OPTIONS, isNoun } from './tree.ts';
import type { ArgumentSpec, Entry, OptionSpec, ValueKind, Verb } from './tree.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** Name of the hidden command that prints ids, one on a line: what scripts call for `kind` rule and prompt. */
export const IDS_COMMAND = 'completion-ids';

/** One path of words through the tree: `['rules', 'add']`, or `['status']`. */
interface Place {
  readonly words: readonly string[];
  readonly verb: Verb;
}

function visible<T extends Entry>(entries: readonly T[]): readonly T[] {
  return entries.filter((entry) => isNoun(entry) || entry.hidden !== true);
}

function places(entries: readonly Entry[]): readonly Place[] {
  return visible(entries).flatMap((entry) => (isNoun(entry)
    ? visible(entry.verbs).map((verb) => ({ words: [entry.name, verb.name], verb }))
    : [{ words: [entry.name], verb: entry }]));
}

/** Inside single quotes of any of the three shells. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function optionWords(options: readonly OptionSpec[]): string {
  return options.flatMap((one) => [`--${one.name}`, ...(one.short === undefined ? [] : [`-${one.short}`])]).join(' ');
}

function bashValues(spec: { readonly choices?: readonly string[]; readonly kind?: ValueKind | undefined }): string {
  if (spec.choices !== undefined) return `COMPREPLY=($(compgen -W ${quoted(spec.choices.join(' '))} -- "$cur"))`;
  switch (spec.kind) {
    case 'file': return 'COMPREPLY=($(compgen -f -- "$cur"))';
    case 'user': return 'COMPREPLY=($(compgen -u -- "$cur"))';
    case 'rule': return `COMPREPLY=($(compgen -W "$(bastionctl ${IDS_COMMAND} rules 2>/dev/null)" -- "$cur"))`;
    case 'prompt': return `COMPREPLY=($(compgen -W "$(bastionctl ${IDS_COMMAND} prompts 2>/dev/null)" -- "$cur"))`;
    default: return 'COMPREPLY=()';
  }
}

function bashOptionCases(options: readonly OptionSpec[]): readonly string[] {
  return options.filter((one) => one.value !== undefined).map((one) => {
    const names = one.short === undefined ? `--${one.name}` : `--${one.name}|-${one.short}`;
    return `      ${names}) ${bashValues(one)}; return ;;`;
  });
}

function bashArgumentCases(args: readonly ArgumentSpec[]): readonly string[] {
  return args.map((one, index) => `        ${one.variadic === true ? '*' : String(index)}) ${bashValues(one)} ;;`);
}

function bashPlace({ words, verb }: Place): string {
  const options = verb.options ?? [];
  return [
    `    ${quoted(words.join(' '))})`,
    ...(options.some((one) => one.value !== undefined) ? ['      case $prev in', ...bashOptionCases(options), '      esac'] : []),
    `      if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "$global ${optionWords(options)}" -- "$cur")); return; fi`,
    ...(verb.args === undefined ? [] : ['      case $given in', ...bashArgumentCases(verb.args), '      esac']),
    '      ;;',
  ].join('\n');
}

function bashScript(entries: readonly Entry[]): string {
  const every = places(entries);
  const withValue = [...GLOBAL_OPTIONS, ...every.flatMap((place) => place.verb.options ?? [])].filter((one) => one.value !== undefined);
  const valued = [...new Set(withValue.flatMap((one) => [`--${one.name}`, ...(one.short === undefined ? [] : [`-${one.short}`])]))];
  const nouns = visible(entries).filter(isNoun);
  return `# bash completion for bastionctl
_bastionctl() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]}
  local global=${quoted(`${optionWords(GLOBAL_OPTIONS)} --help`)} place='' given=0 depth=0 skip='' word
  COMPREPLY=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    if [[ $skip ]]; then skip=''; continue; fi
    case $word in
      ${valued.join('|')}) skip=1 ;;
      -*) ;;
      *)
        if [[ $depth == 0 ]]; then place=$word depth=1
        elif [[ $depth == 1 && ${nouns.length === 0 ? 'x == y' : `$place =~ ^(${nouns.map((one) => one.name).join('|')})$`} ]]; then place="$place $word" depth=2
        else given=$((given + 1)); fi ;;
    esac
  done
  case $prev in
${bashOptionCases(GLOBAL_OPTIONS).map((line) => line.slice(2)).join('\n')}
  esac
  case $place in
    '') COMPREPLY=($(compgen -W "${visible(entries).map((one) => one.name).join(' ')} $global --version" -- "$cur")) ;;
${nouns.map((noun) => `    ${noun.name}) COMPREPLY=($(compgen -W ${quoted(visible(noun.verbs).map((one) => one.name).join(' '))} -- "$cur")) ;;`).join('\n')}
${every.map(bashPlace).join('\n')}
  esac
}
complete -F _bastionctl bastionctl
`;
}

function zshValues(spec: { readonly choices?: readonly string[]; readonly kind?: ValueKind | undefined }): string {
  if (spec.choices !== undefined) return `(${spec.choices.join(' ')})`;
  switch (spec.kind) {
    case 'file': return '_files';
    case 'user': return '_users';
    case 'rule': return '_bastionctl_rules';
    case 'prompt': return '_bastionctl_prompts';
    default: return ' ';
  }
}

/** Text inside an `_arguments` specification. */
function zshText(text: string): string {
  return text.replaceAll(/[\\[\]:]/g, '\\$&');
}

function zshOption(one: OptionSpec): readonly string[] {
  const value = one.value === undefined ? '' : `:${zshText(one.value.toLowerCase())}:${zshValues(one)}`;
  const names = [`--${one.name}`, ...(one.short === undefined ? [] : [`-${one.short}`])];
  return names.map((name) => quoted(`${name}[${zshText(one.about)}]${value}`));
}

function zshArgument(one: ArgumentSpec): string {
  const colon = one.variadic === true ? '*:' : one.optional === true ? '::' : ':';
  return quoted(`${colon}${zshText(one.name)}:${zshValues(one)}`);
}

function zshArguments(verb: Verb): string {
  const specs = [...GLOBAL_OPTIONS.flatMap(zshOption), ...(verb.options ?? []).flatMap(zshOption), ...(verb.args ?? []).map(zshArgument)];
  return `_arguments ${specs.join(' ')}`;
}

function zshDescribe(what: string, entries: readonly { readonly name: string; readonly about: string }[]): string {
  const rows = entries.map((one) => quoted(`${one.name}:${one.about.replaceAll(':', '\\:')}`));
  return `local -a found=(${rows.join(' ')}); _describe ${quoted(what)} found`;
}

function zshScript(entries: readonly Entry[]): string {
  const cases = visible(entries).map((entry) => {
    if (!isNoun(entry)) return `    ${entry.name}) ${zshArguments(entry)} ;;`;
    const verbs = visible(entry.verbs);
    return `    ${entry.name})
      if (( CURRENT == 2 )); then ${zshDescribe('command', verbs)}; return; fi
      shift words; (( CURRENT-- ))
      case $words[1] in
${verbs.map((verb) => `        ${verb.name}) ${zshArguments(verb)} ;;`).join('\n')}
      esac ;;`;
  });
  return `#compdef bastionctl
_bastionctl_rules() { compadd -- \${(f)"$(bastionctl ${IDS_COMMAND} rules 2>/dev/null)"} }
_bastionctl_prompts() { compadd -- \${(f)"$(bastionctl ${IDS_COMMAND} prompts 2>/dev/null)"} }
_bastionctl() {
  local curcontext=$curcontext state line
  _arguments -C ${[...GLOBAL_OPTIONS.flatMap(zshOption), "'--version[print the version]'", "'--help[print help]'"].join(' ')} \\
    '1:command:->command' '*::argument:->argument' && return
  if [[ $state == command ]]; then ${zshDescribe('command', visible(entries))}; return; fi
  case $words[1] in
${cases.join('\n')}
  esac
}
_bastionctl "$@"
`;
}

function fishValues(spec: { readonly choices?: readonly string[]; readonly kind?: ValueKind | undefined }): string {
  if (spec.choices !== undefined) return ` -a ${quoted(spec.choices.join(' '))}`;
  switch (spec.kind) {
    case 'file': return ' -F';
    case 'user': return ` -a '(__fish_complete_users)'`;
    case 'rule': return ` -a '(bastionctl ${IDS_COMMAND} rules 2>/dev/null)'`;
    case 'prompt': return ` -a '(bastionctl ${IDS_COMMAND} prompts 2>/dev/null)'`;
    default: return '';
  }
}

function fishOption(condition: string, one: OptionSpec): string {
  const short = one.short === undefined ? '' : ` -s ${one.short}`;
  const value = one.value === undefined ? '' : ` -x${fishValues(one)}`.replace(' -x -F', ' -r -F');
  return `complete -c bastionctl${condition}${short} -l ${one.name}${value} -d ${quoted(one.about)}`;
}

function fishCondition(words: readonly string[]): string {
  const seen = words.map((word) => `__fish_seen_subcommand_from ${word}`);
  return ` -n ${quoted(seen.join('; and '))}`;
}

function fishPlace({ words, verb }: Place): readonly string[] {
  const condition = fishCondition(words);
  return [
    ...(verb.options ?? []).map((one) => fishOption(condition, one)),
    ...(verb.args ?? []).map((one) => fishValues(one)).filter((values) => values !== '')
      .map((values) => `complete -c bastionctl${condition}${values}`),
  ];
}

function fishScript(entries: readonly Entry[]): string {
  const names = visible(entries).map((entry) => entry.name).join(' ');
  return [
    '# fish completion for bastionctl',
    'complete -c bastionctl -f',
    ...GLOBAL_OPTIONS.map((one) => fishOption('', one)),
    ...visible(entries).map((entry) =>
      `complete -c bastionctl -n ${quoted(`not __fish_seen_subcommand_from ${names}`)} -a ${entry.name} -d ${quoted(entry.about)}`),
    ...visible(entries).filter(isNoun).flatMap((noun) => {
      const verbs = visible(noun.verbs);
      const condition = `__fish_seen_subcommand_from ${noun.name}; and not __fish_seen_subcommand_from ${verbs.map((one) => one.name).join(' ')}`;
      return verbs.map((verb) => `complete -c bastionctl -n ${quoted(condition)} -a ${verb.name} -d ${quoted(verb.about)}`);
    }),
    ...places(entries).flatMap(fishPlace),
    '',
  ].join('\n');
}

/** The whole script for a shell, ending in a line feed. */
export function completionScript(shell: Shell, entries: readonly Entry[]): string {
  switch (shell) {
    case 'bash': return bashScript(entries);
    case 'zsh': return zshScript(entries);
    case 'fish': return fishScript(entries);
  }
}
