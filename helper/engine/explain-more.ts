/** The rest of an explanation: who the program is and who started it, how that is known, and what else could have decided. */
import { assertNever } from '../contract/errors.ts';
import type { Obstacle } from '../contract/types.ts';
import type { Ancestor, ContainerEnd, Identity, Rule, RuleAction } from '../contract/vocabulary.ts';
import { KERNEL_PATH } from '../contract/vocabulary.ts';
import type { FlowRecord } from '../engine-api.ts';
import { containerText } from '../policy/containers.ts';
import type { Facts, Moment } from '../policy/facts.ts';
import { recordedFacts } from '../policy/recorded.ts';
import { isInstalled } from '../policy/program.ts';
import type { RuleIndex } from '../policy/rule-index.ts';
import { whyBefore } from './explain.ts';

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1) || path;
}

function whatIs(identity: Identity, path: string): string {
  if (identity.script !== undefined) return `the script ${identity.script}, run by ${path}`;
  if (identity.flatpak !== undefined) return `the Flatpak ${identity.flatpak}, ${path}`;
  if (identity.snap !== undefined) return `the snap ${identity.snap}, ${path}`;
  if (identity.appImage !== undefined) return `the AppImage ${identity.appImage}`;
  return identity.package === undefined ? path : `${path} of the package ${identity.package}`;
}

const FILE_IS: Readonly<Record<NonNullable<Identity['integrity']>, string>> = {
  valid: ', its file is the one that it was known as', changed: ', its file is not the one that it was known as', unknown: '',
};

/** `/usr/bin/curl of the package curl, its file is the one that it was known as`. */
export function programText(record: FlowRecord): string {
  const { path, forwardedFrom, containers: [inside] = [] } = record;
  if (forwardedFrom !== null) return forwardedFrom;
  if (path === KERNEL_PATH) return 'the kernel itself';
  if (inside !== undefined) return `${plainText(record)}, in the ${containerText(inside).replace('Container', 'container')}`;
  return plainText(record);
}

function plainText({ path, claimedPath = null, identity = { path } }: FlowRecord): string {
  if (path === null) return claimedPath === null ? 'a program that nobody can name' : `a program that was started as ${claimedPath}`;
  return `${whatIs(identity, path)}${FILE_IS[identity.integrity ?? 'unknown']}`;
}

function shortName(path: string | null, identity: Identity | undefined, command: string): string {
  if (identity?.script !== undefined) return baseName(identity.script);
  if (path !== null) return baseName(path);
  return command === '' ? 'a program that nobody can name' : `a program that calls itself “${command}”`;
}

/** The manager of the system or the session started everything: that says nothing. */
function isManager({ pid, path }: Ancestor): boolean {
  return pid === 1 || path?.endsWith('/systemd') === true || path === '/sbin/init';
}

/** `curl, started by build.sh, by bash, in gnome-terminal-server`; '' where nobody knows. */
export function lineageText(record: FlowRecord): string {
  const { ancestors = [], path, identity, command = '', lineage } = record;
  const end = ancestors.findIndex(isManager);
  const parents = (end < 0 ? ancestors : ancestors.slice(0, end)).map((one) => shortName(one.path, one.identity, one.command));
  const [first, ...others] = parents;
  if (first === undefined) return '';
  const last = others.pop();
  const between = others.map((name) => `, by ${name}`).join('');
  const now = lineage === 'procfs' ? ' (as the process list said then)' : '';
  return `${shortName(path, identity, command)}, started by ${first}${between}${last === undefined ? '' : `, in ${last}`}${now}`;
}

/** ' The address it comes from is that of the container web (docker), nginx:1.' and the like; '' for none. */
function endsText(ends: readonly ContainerEnd[]): string {
  return ends.map((end) => {
    const which = end.side === 'sender' ? 'it comes from' : 'it goes to';
    const doubt = end.certain ? 'is' : 'may be';
    return ` The address ${which} ${doubt} that of the ${containerText(end).replace('Container', 'container')}, ${end.image}.`;
  }).join('');
}

/** How sure the program is, and how that is known. */
export function evidenceText({ forwardedFrom, evidence, confidence, path, containers = [] }: FlowRecord): string {
  if (forwardedFrom !== null) return `It was forwarded for somebody else: no program of this machine is behind it.${endsText(containers)}`;
  switch (evidence) {
    case 'kernel':
      if (confidence === 'certain') return 'Certain: the kernel recorded who owns the socket, and the file at this path is that very file.';
      return path === null
        ? 'Not certain: the kernel recorded who owns the socket, but the file that was started is not at its path any more.'
        : 'Not certain: the kernel recorded who owns the socket, but its file could not be verified.';
    case 'sock_diag':
      return 'Likely: found in the process list, and the same on a second look.';
    case 'none':
      return 'Unknown: nobody, or more than one program, could have been it.';
    default:
      return assertNever(evidence);
  }
}

const WOULD: Readonly<Record<RuleAction, string>> = {
  allow: 'allowed it', deny: 'refused it', drop: 'dropped it', ask: 'asked about it',
};

/** What keeps allow rules from matching, each with the facts as they would be without it. */
const OBSTACLES: readonly { readonly code: Obstacle; readonly text: string; readonly without: (facts: Facts) => Facts }[] = [
  {
    code: 'file-changed',
    text: "the program's file is not the one that it was known as",
    without: (facts) => withIdentity(facts, facts.identity?.integrity === 'changed' ? { integrity: 'valid' } : {}),
  },
  {
    code: 'script-claimed',
    text: 'the script is known only by what the program says of itself',
    without: (facts) => withIdentity(facts, facts.identity?.scriptEvidence === 'claimed' ? { scriptEvidence: 'exec' } : {}),
  },
  {
    code: 'interpreter-unknown',
    text: 'the interpreter of the script belongs to no package, and the rule does not name it',
    without: (facts) => withIdentity(facts, facts.identity?.script !== undefined && !isInstalled(facts.identity) ? { package: '' } : {}),
  },
  {
    code: 'script-unnamed',
    text: 'the program runs scripts of others, and the rule names neither a script nor all scripts',
    without: (facts) => withIdentity(facts, facts.identity?.interpreter === true ? { interpreter: false } : {}),
  },
  {
    code: 'hash-untrusted',
    text: "the file's hash is not among the trusted ones of applications.toml, which the rule wants",
    without: (facts) => withIdentity(facts, { trusted: true }),
  },
  {
    code: 'lineage-unsure',
    text: 'who started it is known from the process list only',
    without: (facts) => (facts.lineage === 'procfs' ? { ...facts, lineage: 'kernel' } : facts),
  },
  {
    code: 'program-unsure',
    text: 'it is not certain which program it is',
    without: (facts) => {
      const path = facts.path ?? facts.claimedPath;
      const containers = facts.containers?.map((end) => ({ ...end, certain: true }));
      return { ...withIdentity(facts, { path }), path, claimedPath: null, confidence: 'certain', ...(containers === undefined ? {} : { containers }) };
    },
  },
];

function withIdentity(facts: Facts, change: Partial<Identity>): Facts {
  return { ...facts, identity: { ...facts.identity ?? { path: facts.path }, ...change } };
}

/** Rules in force, and the moment at which they are asked. */
export interface RulesThen {
  readonly index: RuleIndex;
  readonly moment: Moment;
}

/** A rule that would have allowed a flow, and what kept it from that. */
export interface MissedRule {
  readonly rule: Rule;
  readonly obstacle: Obstacle;
}

/** The rule that would match if the program were known better; null without one. */
export function missedRule(record: FlowRecord, { index, moment }: RulesThen): MissedRule | null {
  if (record.decision.action === 'allow' && record.decision.reason === 'rule') return null;
  const facts = recordedFacts(record);
  const winner = index.evaluate(facts, moment).rule;
  const allowing = (known: Facts): Rule | null => {
    const { rule } = index.evaluate(known, moment);
    return rule !== null && rule.action === 'allow' && rule.id !== winner?.id ? rule : null;
  };
  for (const { code, without } of OBSTACLES) {
    const rule = allowing(without(facts));
    if (rule !== null) return { rule, obstacle: code };
  }
  const whole = allowing(OBSTACLES.reduce((known, { without }) => without(known), facts));
  return whole === null ? null : { rule: whole, obstacle: 'several' };
}

/** `“X” would have allowed it, but ...`; '' without such a rule. */
function missedText(record: FlowRecord, then: RulesThen): string {
  const missed = missedRule(record, then);
  if (missed === null) return '';
  const obstacle = OBSTACLES.find(({ code }) => code === missed.obstacle);
  return obstacle === undefined
    ? `“${missed.rule.name}” would have allowed it if more were certain about the program.`
    : `“${missed.rule.name}” would have allowed it, but ${obstacle.text}.`;
}

/** What would have decided next and why it did not, and which allowance was missed and why. */
export function nextText(record: FlowRecord, rule: Rule | null, next: Rule | null, then: RulesThen): string {
  const missed = missedText(record, then);
  if (record.nextRuleId === null) return missed;
  const said = next === null
    ? `Next would have been the rule ${record.nextRuleId}, which is not there any more.`
    : `Next, “${next.name}” would have ${WOULD[next.action]}${rule === null ? '' : `; “${rule.name}” goes before it: ${whyBefore(rule, next)}`}.`;
  return missed === '' ? said : `${said} ${missed}`;
}
