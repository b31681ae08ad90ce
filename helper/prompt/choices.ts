/** What a prompt offers, and the defaults that will not ask again within minutes without reaching further than needed. */
import type { Scope } from '../contract/vocabulary.ts';
import type { Question } from './question.ts';

export const LIFETIME_NAMES = ['once', 'process', 'session', 'boot', 'until', 'always'] as const;
export type LifetimeName = (typeof LIFETIME_NAMES)[number];

export interface Choices {
  readonly lifetimes: readonly LifetimeName[];
  readonly scopes: readonly Scope[];
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
/** A host by its name needs rules by domain, which this version has not: only exact scopes are offered. */
const SCOPES: readonly Scope[] = ['host', 'port', 'any'];

/** Base name of a path, '' for null. */
export function baseName(path: string | null): string {
  return path?.slice(path.lastIndexOf('/') + 1) ?? '';
}

function offeredLifetimes(question: Question, facts: ChoiceFacts): readonly LifetimeName[] {
  const { confidence, evidence, owner } = question;
  const lasting = confidence === 'certain' || (confidence === 'likely' && !facts.requireKernelIdentity);
  // Without a verified program a rule can still be bound to the process, if the kernel says which one it is.
  const process = lasting || (confidence === 'unknown' && evidence === 'kernel');
  return LIFETIME_NAMES.filter((name) => {
    if (name === 'once') return !facts.expired;
    // What the kernel itself sends belongs to no process.
    if (name === 'process') return process && owner.pid !== 0;
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
    scopes: SCOPES,
    defaultLifetime: narrower.find((name) => lifetimes.includes(name)) ?? 'once',
    defaultScope,
  };
}
