/** What a prompt offers, and the defaults that will not ask again within minutes without reaching further than needed. */
import { KERNEL_PATH } from '../contract/vocabulary.ts';
import type { Scope } from '../contract/vocabulary.ts';
import { rulePattern } from './by-name.ts';
import { isChanged } from '../policy/program.ts';
import { lastingContainer, lastingProgram } from './question.ts';
import type { Question } from './question.ts';

export const LIFETIME_NAMES = ['once', 'process', 'session', 'boot', 'until', 'always'] as const;
export type LifetimeName = (typeof LIFETIME_NAMES)[number];

export interface Choices {
  readonly lifetimes: readonly LifetimeName[];
  readonly scopes: readonly Scope[];
  /** A rule can also cover what the program starts. */
  readonly children: boolean;
  readonly defaultLifetime: LifetimeName;
  readonly defaultScope: Scope;
}

export interface ChoiceFacts {
  /** The socket belongs to root or a system user. */
  readonly system: boolean;
  /** The user has a login session. */
  readonly hasSession: boolean;
  readonly requireKernelIdentity: boolean;
  /** The flow has been refused: what is chosen applies to the next attempt. */
  readonly expired: boolean;
  /** The process has ended: what is said of it is said of nobody. Absent: it lives, or nobody has looked. */
  readonly ended?: boolean;
}

/** Programs that reach many hosts by nature: a question for each host would never end. */
const BROWSERS = new Set([
  'brave', 'brave-browser', 'chrome', 'chromium', 'epiphany', 'epiphany-browser', 'falkon', 'firefox', 'firefox-esr', 'konqueror',
  'librewolf', 'msedge', 'opera', 'palemoon', 'vivaldi-bin',
]);
/** Programs that are started for one errand. */
const ONE_SHOT = new Set([
  'aria2c', 'curl', 'dig', 'ftp', 'git', 'git-remote-http', 'git-remote-https', 'host', 'nc', 'nc.openbsd', 'ncat', 'nslookup',
  'ping', 'rsync', 'scp', 'sftp', 'socat', 'ssh', 'telnet', 'traceroute', 'wget', 'whois',
]);
/** Always offered; `domain` goes between the first two where the flow has a name that counts. */
const SCOPES: readonly Scope[] = ['host', 'domain', 'port', 'any'];

/** Base name of a path, '' for null. */
export function baseName(path: string | null): string {
  return path?.slice(path.lastIndexOf('/') + 1) ?? '';
}

/** A container is no process, and nobody's login session is its own. */
const OF_CONTAINER: readonly LifetimeName[] = ['once', 'boot', 'until', 'always'];

function offeredLifetimes(question: Question, facts: ChoiceFacts): readonly LifetimeName[] {
  if (lastingContainer(question) !== null) return OF_CONTAINER.filter((name) => name !== 'once' || !facts.expired);
  const { confidence, evidence, owner } = question;
  const known = confidence === 'certain' || (confidence === 'likely' && !facts.requireKernelIdentity);
  // An interpreter without a script could be told anything the next time. The kernel and what it sends have no identity but a path.
  // Rules that allow a changed program are suspended: what one answers holds for this once.
  const changed = isChanged(question.identity);
  const lasting = known && !changed && (question.path === null || lastingProgram(question) !== null);
  // Without a verified program a rule can still be bound to the process, if the kernel says which one it is.
  const process = (known && !changed) || (confidence === 'unknown' && evidence === 'kernel');
  return LIFETIME_NAMES.filter((name) => {
    if (name === 'once') return !facts.expired;
    // What the kernel itself sends belongs to no process.
    if (name === 'process') return process && owner.pid !== 0 && facts.ended !== true;
    if (name === 'session') return lasting && facts.hasSession;
    return lasting;
  });
}

function preferred(question: Question, facts: ChoiceFacts): readonly [LifetimeName, Scope] {
  const program = baseName(question.path);
  if (BROWSERS.has(program)) return ['always', 'port'];
  if (facts.system) return ['always', 'host'];
  return [ONE_SHOT.has(program) ? 'once' : 'always', 'host'];
}

/** What may be answered to `question`, before the receiver's own rights narrow it. `lifetimes` can be empty once expired. */
export function choices(question: Question, facts: ChoiceFacts): Choices {
  const lifetimes = offeredLifetimes(question, facts);
  const [lifetime, defaultScope] = preferred(question, facts);
  const narrower: readonly LifetimeName[] = [lifetime, 'once', 'session', 'boot', 'process'];
  return {
    lifetimes,
    children: question.path !== KERNEL_PATH && lastingProgram(question) !== null,
    scopes: SCOPES.filter((scope) => scope !== 'domain' || rulePattern(question) !== null),
    defaultLifetime: narrower.find((name) => lifetimes.includes(name)) ?? 'once',
    defaultScope,
  };
}
