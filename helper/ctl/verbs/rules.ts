/** rules: list, show, add, edit, remove, enable, disable, groups, lists, import, export, simulate, review. */
import type { RuleInfo } from '../../contract/types.ts';
import { EXIT } from '../../contract/names.ts';
import { readAll } from '../context.ts';
import type { Context } from '../context.ts';
import { UsageError } from '../errors.ts';
import type { ExitCode } from '../errors.ts';
import type { Paint } from '../text/format.ts';
import { details, table } from '../text/table.ts';
import type { Column } from '../text/table.ts';
import { conditionWords, placeWords, programWords } from '../text/rule-words.ts';
import { ruleSentence } from '../text/words.ts';
import type { Invocation, Noun, Verb } from '../tree.ts';
import { listsVerb } from './lists.ts';
import { addEdit, changeEdit, EDIT_OPTIONS, RULE_ACTION_ARGUMENT, RULE_OPTIONS } from './rule-edit.ts';
import { exportVerb, importVerb } from './rules-import.ts';
import { reviewVerb, simulate, simulateVerb } from './simulate.ts';

/** JSON of a rule; the keys are stable, `until_ms` is null unless the lifetime is `until`. */
export function ruleJson(rule: RuleInfo): unknown {
  return {
    id: rule.id, name: rule.name, action: rule.action, enabled: rule.enabled,
    path: rule.path, address: rule.address, port: rule.port, protocol: rule.protocol, user: rule.user,
    lifetime: rule.lifetime, until_ms: rule.until_ms ?? null, schedule: rule.schedule,
    priority: rule.priority, group: rule.group, group_enabled: rule.group_enabled ?? true,
    package: rule.package ?? '', flatpak: rule.flatpak ?? '', snap: rule.snap ?? '', appimage: rule.appimage ?? '',
    script: rule.script ?? '', sha256: rule.sha256 ?? '', pin: rule.pin ?? false, include_children: rule.include_children ?? false,
    all_scripts: rule.all_scripts ?? false, container: rule.container ?? '', ancestor: rule.ancestor ?? '', domain: rule.domain ?? '', list: rule.list ?? '',
    zone: rule.zone ?? '', interface: rule.interface ?? '', profile: rule.profile ?? '', tier: rule.tier, editable: rule.editable,
    file: rule.file, line: rule.line, created_ms: rule.created_ms, hits: rule.hits, last_hit_ms: rule.last_hit_ms,
  };
}

function lifetimeText(context: Context, rule: RuleInfo): string {
  if (rule.lifetime !== 'until') return rule.lifetime;
  return rule.until_ms === undefined ? 'until' : `until ${context.format.time(rule.until_ms, context.io.now())}`;
}

/** The colour of an action's word. */
export function actionPaint(context: Context, action: RuleInfo['action']): Paint {
  switch (action) {
    case 'allow': return context.style.good;
    case 'deny':
    case 'drop': return context.style.bad;
    case 'ask': return context.style.warn;
  }
}

/** Its own switch, or that of its group. */
function enabledWord(rule: RuleInfo): string {
  if (rule.group_enabled === false) return 'group off';
  return rule.enabled ? 'yes' : 'no';
}

function columns(context: Context): readonly Column<RuleInfo>[] {
  return [
    { title: 'ID', cell: (rule) => rule.id, flexible: true },
    { title: 'ACTION', cell: (rule) => rule.action, paint: (rule) => actionPaint(context, rule.action) },
    { title: 'APPLICATION', cell: (rule) => programWords(rule) || 'any', flexible: true },
    { title: 'TO', cell: (rule) => placeWords(rule) || 'any', flexible: true },
    { title: 'PORT', cell: (rule) => rule.port || 'any', flexible: true },
    { title: 'PROTOCOL', spare: 5, cell: (rule) => rule.protocol || 'any' },
    { title: 'USER', spare: 7, cell: (rule) => rule.user || 'any' },
    { title: 'LIFETIME', spare: 4, cell: (rule) => lifetimeText(context, rule) },
    { title: 'ENABLED', spare: 1, cell: (rule) => enabledWord(rule) },
    { title: 'TIER', spare: 3, cell: (rule) => rule.tier },
    { title: 'HITS', spare: 6, cell: (rule) => context.format.count(rule.hits), right: true },
  ];
}

async function list(context: Context): Promise<ExitCode> {
  const client = context.client();
  const rules = await readAll((limit, cursor) => client.listRules(limit, cursor));
  if (context.options.json) context.json(rules.map(ruleJson));
  else if (rules.length === 0) context.say('No rules yet. Programs will ask when they first connect.');
  else await context.show(table(columns(context), rules, context.tableWidth, context.style.strong));
  return EXIT.done;
}

function placeText(rule: RuleInfo): string {
  if (rule.file === '') return 'in memory';
  return rule.line === 0 ? rule.file : `${rule.file}, line ${String(rule.line)}`;
}

async function show(context: Context, { args }: Invocation): Promise<ExitCode> {
  const client = context.client();
  const rule = await client.getRule(args[0] ?? '');
  if (context.options.json) {
    context.json(ruleJson(rule));
    return EXIT.done;
  }
  const { time, count } = context.format;
  const now = context.io.now();
  context.say(ruleSentence(rule));
  context.io.out(`\n${details([
    { name: 'Id', value: rule.id },
    { name: 'Name', value: rule.name },
    { name: 'Action', value: rule.action, paint: actionPaint(context, rule.action) },
    { name: 'Enabled', value: enabledWord(rule) },
    { name: 'Application', value: programWords(rule) || 'any' },
    { name: 'To', value: placeWords(rule) || 'any' },
    { name: 'Port', value: rule.port || 'any' },
    { name: 'Protocol', value: rule.protocol || 'any' },
    { name: 'User', value: rule.user || 'any' },
    { name: 'Lifetime', value: lifetimeText(context, rule) },
    { name: 'Only', value: conditionWords(rule).join('; ') },
    { name: 'Schedule', value: rule.schedule },
    { name: 'Priority', value: String(rule.priority) },
    { name: 'Group', value: rule.group },
    { name: 'Tier', value: rule.editable ? rule.tier : `${rule.tier}, can only be switched on and off here` },
    { name: 'Where', value: placeText(rule) },
    { name: 'Created', value: rule.created_ms === 0 ? '' : time(rule.created_ms, now) },
    { name: 'Hits', value: rule.hits === 0 ? 'none since the helper started' : `${count(rule.hits)}, last ${time(rule.last_hit_ms, now)}` },
  ])}`);
  return EXIT.done;
}

async function add(context: Context, { args, options }: Invocation): Promise<ExitCode> {
  const edit = await addEdit(context, args[0] ?? '', options);
  if (options['simulate'] === true) return await simulate(context, [{ op: 'add', rule: edit }], 0);
  const client = await context.privilegedClient();
  const id = await client.addRule(edit);
  context.result({ id }, `Added rule ${id}.`);
  return EXIT.done;
}

async function edit(context: Context, { args, options }: Invocation): Promise<ExitCode> {
  const id = args[0] ?? '';
  const change = await changeEdit(context, options);
  if (Object.keys(change).length === 0) throw new UsageError('say what to change, for example --action deny');
  const client = await context.privilegedClient();
  await client.updateRule(id, change);
  context.result({ id }, `Changed rule ${id}.`);
  return EXIT.done;
}

/** Does the same to each of the rules, in their order; the first failure ends it, what was done before stays. */
function forEachRule(
  done: string, work: (client: Awaited<ReturnType<Context['client']>>, id: string) => Promise<void>,
): Verb['run'] {
  return async (context, { args }) => {
    const client = await context.privilegedClient();
    for (const id of args) {
      await work(client, id);
      if (!context.options.json) context.say(`${done} rule ${id}.`);
    }
    if (context.options.json) context.json({ ids: args });
    return EXIT.done;
  };
}

async function group(context: Context, { args: [name = '', state] }: Invocation): Promise<ExitCode> {
  const enabled = state === 'on';
  const client = await context.privilegedClient();
  await client.setGroup(name, enabled);
  context.result({ group: name, enabled }, `Switched group ${name} ${enabled ? 'on' : 'off'}.`);
  return EXIT.done;
}

const RULES_ARGUMENT = { name: 'rule', about: 'id of a rule', variadic: true, kind: 'rule' } as const;
const RULE_ARGUMENT = { name: 'rule', about: 'id of a rule', kind: 'rule' } as const;

export const rules: Noun = {
  name: 'rules',
  about: 'List and change rules',
  verbs: [
    { name: 'list', about: 'List all rules', text: 'A narrow terminal leaves columns out; show and --json tell all.', examples: ['rules', 'rules list --json'], run: list },
    { name: 'show', about: 'Show one rule', args: [RULE_ARGUMENT], examples: ['rules show firefox-web'], run: show },
    {
      name: 'add',
      about: 'Add a rule',
      text: 'What is not given matches anything. A name without a slash is looked for in PATH, and links are followed: the rule '
        + 'names the file that runs.',
      args: [RULE_ACTION_ARGUMENT],
      options: [...RULE_OPTIONS, { name: 'simulate', about: 'only say what it would have done; add nothing' }],
      examples: [
        'rules add allow --application /usr/bin/curl',
        'rules add allow --application git --port 22,443 --protocol tcp --name "git over ssh and the web"',
        'rules add deny --to 192.0.2.0/24 --lifetime 1h',
        'rules add deny --application /usr/bin/ping --protocol icmp --user alice',
        'rules add allow --package firefox-esr --domain "*.example.org" --port 443',
      ],
      run: add,
    },
    {
      name: 'edit',
      about: 'Change a rule',
      text: 'What is not given stays; the word any takes a condition away.',
      args: [RULE_ARGUMENT],
      options: [
        { name: 'action', value: 'ACTION', about: 'what it does', choices: RULE_ACTION_ARGUMENT.choices },
        ...EDIT_OPTIONS,
      ],
      examples: ['rules edit firefox-web --port 443', 'rules edit firefox-web --to any --lifetime boot'],
      run: edit,
    },
    {
      name: 'remove', about: 'Remove rules', args: [RULES_ARGUMENT], examples: ['rules remove firefox-web'],
      run: forEachRule('Removed', (client, id) => client.removeRule(id)),
    },
    {
      name: 'enable', about: 'Switch rules on', args: [RULES_ARGUMENT], examples: ['rules enable vendor-ntp'],
      run: forEachRule('Switched on', (client, id) => client.updateRule(id, { enabled: true })),
    },
    {
      name: 'disable', about: 'Switch rules off and keep them', args: [RULES_ARGUMENT], examples: ['rules disable vendor-ntp'],
      run: forEachRule('Switched off', (client, id) => client.updateRule(id, { enabled: false })),
    },
    {
      name: 'group', about: 'Switch all rules of a group', text: 'Rules that are switched off themselves stay off.',
      args: [{ name: 'group', about: 'name of the group' }, { name: 'state', about: 'on or off', choices: ['on', 'off'] }],
      examples: ['rules group Browsers off'], run: group,
    },
    listsVerb,
    importVerb,
    exportVerb,
    simulateVerb,
    reviewVerb,
  ],
};
