/** The programs that show prompts and take answers: at most one for each session, each gone when its connection is. */
import { BastionError } from '../contract/errors.ts';
import type { AgentInfo } from '../contract/types.ts';
import type { PromptTarget } from '../engine-api.ts';
import type { Clock, Logger, Processes, Sessions } from '../ports.ts';
import type { Caller } from './callers.ts';
import { isTrusted } from './trust.ts';

/** Sessions of one user that may have an agent, and agents in all. */
export const AGENT_LIMITS = { perUid: 8, overall: 64 } as const;
/** Every registration is logged and told to everybody who looks: one user does not fill the journal with them. */
export const REGISTRATION_LIMITS = { perUid: 20, windowMs: 60_000 } as const;
const NS_PER_MS = 1_000_000n;

/** A registered agent. */
export interface Agent {
  readonly caller: Caller;
  readonly session: string;
  readonly verified: boolean;
  readonly name: string;
  readonly sinceMs: number;
  /** Nonces of the prompts that it was sent and that have not ended. */
  readonly shown: Set<string>;
}

export interface AgentDeps {
  readonly sessions: Sessions;
  readonly processes: Processes;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Absolute paths of the package's executables and scripts that may be agents. */
  readonly trustedAgents: readonly string[];
  /** Is this connection still there? */
  isThere(callerName: string): boolean;
  /** The list has changed. */
  changed(): void;
}

/** Who answers for which session. */
export class Agents {
  readonly #deps: AgentDeps;
  readonly #agents = new Map<string, Agent>();
  /** Registrations of each user since the beginning of its window. */
  readonly #registrations = new Map<number, { readonly sinceNs: bigint; count: number }>();

  constructor(deps: AgentDeps) {
    this.#deps = deps;
  }

  get all(): readonly Agent[] {
    return [...this.#agents.values()];
  }

  get(callerName: string): Agent | null {
    return this.#agents.get(callerName) ?? null;
  }

  /** Registering again from the same connection changes nothing. Throws AgentExists, LimitReached. */
  async register(caller: Caller, name: string): Promise<Agent> {
    const session = await this.#sessionOf(caller);
    const known = this.#agents.get(caller.name);
    if (known !== undefined) return known;
    // It may have left while the login manager was asked; an agent without a connection would never be removed.
    if (!this.#deps.isThere(caller.name)) throw new BastionError('NotAnAgent');
    this.#checkRoom(caller, session);
    this.#checkRate(caller.uid);
    const verified = isTrusted(caller.pid, this.#deps.trustedAgents, this.#deps.processes);
    const agent: Agent = { caller, session, verified, name, sinceMs: this.#deps.clock.wallMs(), shown: new Set() };
    this.#agents.set(caller.name, agent);
    this.#deps.logger.log('info', 'an agent registered', { session, uid: caller.uid, pid: caller.pid, verified, name });
    this.#deps.changed();
    return agent;
  }

  /** False when it was none. */
  remove(callerName: string): boolean {
    const agent = this.#agents.get(callerName);
    if (agent === undefined) return false;
    this.#agents.delete(callerName);
    this.#deps.logger.log('info', 'an agent left', { session: agent.session, uid: agent.caller.uid, pid: agent.caller.pid });
    this.#deps.changed();
    return true;
  }

  /**
   * The agents that show a prompt: those of the socket's user; for root and system users the one of the active local session,
   * and root's own.
   */
  receivers(target: PromptTarget): readonly Agent[] {
    return this.all.filter((agent) => this.maySee(agent, target));
  }

  maySee(agent: Agent, target: PromptTarget): boolean {
    if (agent.caller.uid === target.uid) return true;
    return target.system && (agent.caller.uid === 0 || this.#isActiveLocal(agent));
  }

  infos(): readonly AgentInfo[] {
    return this.all.map((agent) => ({
      session: agent.session,
      uid: agent.caller.uid,
      pid: agent.caller.pid,
      verified: agent.verified,
      name: agent.name,
      since_ms: agent.sinceMs,
    }));
  }

  #checkRoom(caller: Caller, session: string): void {
    const agents = this.all;
    if (agents.some((agent) => agent.session === session)) throw new BastionError('AgentExists');
    const ofUser = agents.filter((agent) => agent.caller.uid === caller.uid).length;
    if (agents.length >= AGENT_LIMITS.overall || ofUser >= AGENT_LIMITS.perUid) {
      throw new BastionError('LimitReached', 'There are too many agents.');
    }
  }

  /** Root could fill the journal without this. */
  #checkRate(uid: number): void {
    if (uid === 0) return;
    const nowNs = this.#deps.clock.bootNs();
    for (const [key, { sinceNs }] of this.#registrations) {
      if (nowNs - sinceNs >= BigInt(REGISTRATION_LIMITS.windowMs) * NS_PER_MS) this.#registrations.delete(key);
    }
    const window = this.#registrations.get(uid) ?? { sinceNs: nowNs, count: 0 };
    if (window.count >= REGISTRATION_LIMITS.perUid) {
      throw new BastionError('LimitReached', 'Agents came and went too often; try again in a minute.');
    }
    window.count += 1;
    this.#registrations.set(uid, window);
  }

  /** A process of another user inside a session (sudo) does not stand for that session. */
  async #sessionOf(caller: Caller): Promise<string> {
    const session = caller.pid > 0 ? await this.#deps.sessions.ofProcess(caller.pid) : null;
    return session !== null && session.uid === caller.uid ? session.id : `uid:${String(caller.uid)}`;
  }

  #isActiveLocal(agent: Agent): boolean {
    const active = this.#deps.sessions.activeLocal();
    return active !== null && active.id === agent.session && active.uid === agent.caller.uid;
  }
}
