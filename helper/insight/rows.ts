/** What was found, as the contract tells it. Names of users are asked for row by row: there may be many more users than rows. */
import type { Proposal as ProposalRow, RuleEdit, RuleFinding, SimulationInfo, SimulationRow } from '../contract/types.ts';
import type { Rule, RuleMatch } from '../contract/vocabulary.ts';
import { WIRE_LIMITS } from '../contract/names.ts';
import { formatPorts, formatProtocols, protocolName } from '../policy/ports.ts';
import type { Proposal, Proposals, Remainder } from './propose.ts';
import type { Finding, Review } from './review.ts';
import type { Simulated, SimulatedRow } from './simulate.ts';
import { counted, findingAdvice, findingText, plain, proposalName, proposalText, remainderText, simulationText } from './words.ts';

export type UserName = (uid: number) => string;

/** Under which proposed rules are listed. */
const GROUP = 'Learned';
/** In the place of a user who is not known. */
const UNKNOWN_UID = 0xffff_ffff;
const PERCENT = 100;

function clipped(text: string): string {
  return text.length <= WIRE_LIMITS.stringLength ? text : `${text.slice(0, WIRE_LIMITS.stringLength - 1)}…`;
}

/** Does everything that the rule names fit into what Add takes? A part that was cut would be another rule. */
function fits({ match }: Rule): boolean {
  const texts = [match.path, match.package, match.flatpak, match.snap, match.appImage, match.script];
  return texts.every((text) => text === undefined || text.length <= WIRE_LIMITS.stringLength);
}

function programEdit({ container, path, package: packageName, flatpak, snap, appImage, script }: RuleMatch): RuleEdit {
  return {
    ...(container === undefined ? {} : { container }),
    ...(path === undefined ? {} : { path }),
    ...(packageName === undefined ? {} : { package: packageName }),
    ...(flatpak === undefined ? {} : { flatpak }),
    ...(snap === undefined ? {} : { snap }),
    ...(appImage === undefined ? {} : { appimage: appImage }),
    ...(script === undefined ? {} : { script }),
  };
}

/** What Add takes for a proposed rule. */
export function editOf({ match, priority }: Rule, application: string): RuleEdit {
  const { address, domain, ports, protocols, uid } = match;
  return {
    action: 'allow',
    name: proposalName(application, match),
    group: GROUP,
    ...programEdit(match),
    ...(address === undefined ? {} : { address }),
    ...(domain === undefined ? {} : { domain }),
    ...(ports === undefined ? {} : { port: formatPorts(ports) }),
    ...(protocols === undefined ? {} : { protocol: formatProtocols(protocols) }),
    // A number stays right when the user is renamed.
    ...(uid === undefined ? {} : { user: String(uid) }),
    ...(priority === 0 ? {} : { priority }),
  };
}

function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.floor((part * PERCENT) / whole);
}

function ruleRow({ rule, application, uids, destinations, tally }: Proposal, all: number, userName: UserName): ProposalRow {
  const { connections, firstMs, lastMs, examples } = tally;
  const { uid } = rule.match;
  return {
    kind: 'rule',
    text: proposalText(application, rule.match, uid === undefined ? null : userName(uid), connections),
    rule: editOf(rule, application),
    applications: [clipped(application)],
    destinations,
    users: uids.map(userName),
    connections, first_ms: firstMs, last_ms: lastMs, coverage: percent(connections, all), examples,
    confidence: 'certain',
  };
}

function leftOutRow(remainder: Remainder, all: number): ProposalRow {
  const { connections, firstMs, lastMs, examples } = remainder.tally;
  return {
    kind: 'left-out', text: remainderText(remainder), applications: remainder.applications.map(clipped), destinations: [], users: [],
    connections, first_ms: firstMs, last_ms: lastMs, coverage: percent(connections, all), examples, confidence: 'unknown',
    reasons: [...remainder.reasons.keys()], reason_connections: [...remainder.reasons.values()],
  };
}

/** Proposed rules, the most connections first; last, what nothing is proposed for. */
export function proposalRows({ rules, remainder, connections }: Proposals, userName: UserName): readonly ProposalRow[] {
  const rows = rules.filter(({ rule }) => fits(rule)).map((one) => ruleRow(one, connections, userName));
  return remainder === null ? rows : [...rows, leftOutRow(remainder, connections)];
}

function applicationName(path: string | null): string {
  const base = path === null ? '' : path.slice(path.lastIndexOf('/') + 1);
  return base === '' ? 'An unknown program' : base;
}

function simulationRowOf(row: SimulatedRow, userName: UserName): SimulationRow {
  const { connections, firstMs, lastMs, examples } = row.tally;
  return {
    change: row.difference, from: row.from, to: row.to,
    application: clipped(row.forwardedFrom ?? applicationName(row.path)),
    path: clipped(row.path ?? ''),
    uid: row.uid ?? UNKNOWN_UID,
    user: row.uid === null ? '' : userName(row.uid),
    host: clipped(row.host), address: row.address, port: row.port, protocol: protocolName(row.protocol),
    connections, first_ms: firstMs, last_ms: lastMs, rule_before: row.ruleBefore ?? '', rule_after: row.ruleAfter ?? '', examples,
  };
}

/** As many rows as one page; what is not in them is counted. */
export function simulationAnswer(
  simulated: Simulated, listsIgnored: number, isIncomplete: boolean, userName: UserName,
): { readonly summary: SimulationInfo; readonly rows: readonly SimulationRow[] } {
  const { refused, asked, allowed } = simulated.sums;
  const shown = simulated.rows.slice(0, WIRE_LIMITS.pageRows);
  const unshown = simulated.rows.slice(WIRE_LIMITS.pageRows).reduce((sum, { tally }) => sum + tally.connections, 0);
  const summary: SimulationInfo = {
    text: simulationText(simulated), flows: simulated.flows, since_ms: simulated.oldestMs ?? 0,
    refused_applications: refused.applications, refused_connections: refused.tally.connections,
    asked_applications: asked.applications, asked_connections: asked.tally.connections,
    allowed_applications: allowed.applications, allowed_connections: allowed.tally.connections,
    unlisted: simulated.unlisted + unshown, lists_ignored: listsIgnored,
    ...(isIncomplete ? { incomplete: true } : {}),
  };
  return { summary, rows: shown.map((row) => simulationRowOf(row, userName)) };
}

function findingRow(found: Finding, nowMs: number): RuleFinding {
  const { kind, rule, by, path, sinceMs } = found;
  return {
    kind, rule_id: rule.id, name: plain(rule.name), other_id: by?.id ?? '', text: clipped(findingText(found, nowMs)),
    advice: findingAdvice(found),
    ...(sinceMs === null ? {} : { since_ms: sinceMs }),
    ...(path === null ? {} : { path: clipped(path) }),
  };
}

function incompleteRow(text: string): RuleFinding {
  return { kind: 'incomplete', rule_id: '', name: '', other_id: '', text, advice: '' };
}

/** As many rows as one page; a last one says what is missing. */
export function reviewRows({ findings, isComplete }: Review, nowMs: number): readonly RuleFinding[] {
  const most = WIRE_LIMITS.pageRows - 2;
  const rest = findings.length - most;
  return [
    ...findings.slice(0, most).map((found) => findingRow(found, nowMs)),
    ...(rest > 0 ? [incompleteRow(`There is something about ${counted(rest, 'more rule')}; mend these first.`)] : []),
    ...(isComplete ? [] : [incompleteRow('There are too many rules alike to compare each with each; some that do nothing may not be listed.')]),
  ];
}
