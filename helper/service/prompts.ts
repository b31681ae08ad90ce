/** org.bastionfirewall.Helper1.Prompts: questions go out to agents as signals of their own, answers come in with a nonce. */
import { array, string, u32, u64 } from '../contract/codec.ts';
import { BastionError } from '../contract/errors.ts';
import { ACTIONS, INTERFACES } from '../contract/names.ts';
import type { Action } from '../contract/names.ts';
import { DISMISS_LIMIT, agentInfo, agentOptions, agentRegistration, answer, answerResult, promptInfo } from '../contract/types.ts';
import type { Answer, PromptEnd, PromptInfo, RuleInfo } from '../contract/types.ts';
import type { EngineApi, PromptView } from '../engine-api.ts';
import type { Agent, Agents } from './agents.ts';
import type { Caller } from './callers.ts';
import { loosens } from './loosening.ts';
import { method, property } from './method.ts';
import type { Call, Details, ServedInterface } from './method.ts';
import { pageOf } from './paging.ts';
import { forDialog } from './text.ts';
import { cursor, id, limit, rows } from './wire-types.ts';

const LIFETIMES = ['once', 'process', 'session', 'boot', 'always', 'until'] as const;
/** What anybody may answer for his own programs without being the package's agent. */
const MODEST_LIFETIMES: ReadonlySet<string> = new Set(['once', 'process']);
/** A prompt whose count grows is sent again at most this often. */
const CHANGE_DELAY_MS = 500;

/** Sends a signal of this interface to one connection. */
export type SendPrompt = (receiver: string, member: string, signature: string, body: readonly unknown[]) => void;

/** The prompt as one receiver may see and answer it. */
export function forReceiver(view: PromptView, verified: boolean): PromptInfo {
  if (verified) return view.info;
  return { ...view.info, lifetimes: view.info.lifetimes.filter((lifetime) => MODEST_LIFETIMES.has(lifetime)) };
}

/**
 * The answer with what it leaves to the prompt filled in. The proposals change when a prompt expires: an answer must not
 * become another one between its authorization and its effect.
 */
export function completed(view: PromptView, wanted: Answer): Answer {
  const proposed = LIFETIMES.find((one) => one === view.info.default_lifetime);
  const lifetime = wanted.lifetime ?? (wanted.until_ms === undefined ? proposed : 'until');
  return { ...wanted, ...(lifetime === undefined ? {} : { lifetime }), scope: wanted.scope ?? view.info.default_scope };
}

/**
 * What an answer costs instead of `answer`: prompts of system users and of other users always edit-rules, and so does an
 * answer that outlives the process unless the package's own agent gives it, and one that undoes a rule that forbids, whoever
 * gives it.
 */
export function answerCost(
  view: PromptView, wanted: Answer, caller: Caller, verified: boolean, rules: readonly RuleInfo[] = [],
): Action | null {
  if (view.target.system || view.target.uid !== caller.uid) return ACTIONS.editRules;
  if (loosens(view.info, completed(view, wanted), rules)) return ACTIONS.editRules;
  return verified || MODEST_LIFETIMES.has(completed(view, wanted).lifetime ?? '') ? null : ACTIONS.editRules;
}

/** The interface and the signals behind it. */
export class Prompts {
  readonly #engine: EngineApi;
  readonly #agents: Agents;
  readonly #send: SendPrompt;
  readonly #changed = new Set<string>();
  #timer: NodeJS.Timeout | null = null;

  constructor(engine: EngineApi, agents: Agents, send: SendPrompt) {
    this.#engine = engine;
    this.#agents = agents;
    this.#send = send;
  }

  get served(): ServedInterface {
    return {
      name: INTERFACES.prompts,
      methods: { ...this.#agentMethods(), ...this.#answerMethods(), ...this.#waitingMethods() },
      properties: { Agents: property(array(agentInfo), () => this.#agents.infos()) },
      signals: { PromptRaised: 'a{sv}', PromptWithdrawn: 'ss' },
    };
  }

  raised(view: PromptView): void {
    for (const agent of this.#agents.receivers(view.target)) this.#show(agent, view);
  }

  /** More flows joined, or the deadline moved: told with a delay, once for many. */
  changed(view: PromptView): void {
    this.#changed.add(view.info.nonce);
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#tellChanged();
    }, CHANGE_DELAY_MS).unref();
  }

  ended(view: PromptView, why: PromptEnd): void {
    this.#changed.delete(view.info.nonce);
    // Whoever may see the inbox hears when something leaves it.
    const left = view.info.status === 'expired' && why !== 'expired';
    for (const agent of this.#agents.all) {
      const shown = agent.shown.delete(view.info.nonce);
      if (!shown && !(left && this.#agents.maySee(agent, view.target))) continue;
      this.#send(agent.caller.name, 'PromptWithdrawn', 'ss', [view.info.nonce, why]);
    }
  }

  /** The active session is another one now: its agent gets what it may see and has not seen. */
  sessionsChanged(): void {
    for (const agent of this.#agents.all) this.#showPending(agent);
  }

  /** Ends the timer. */
  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #tellChanged(): void {
    for (const view of this.#engine.prompts()) {
      if (!this.#changed.has(view.info.nonce)) continue;
      for (const agent of this.#agents.all) {
        if (agent.shown.has(view.info.nonce)) this.#show(agent, view);
      }
    }
    this.#changed.clear();
  }

  #show(agent: Agent, view: PromptView): void {
    agent.shown.add(view.info.nonce);
    const info = promptInfo.encode(forReceiver(view, agent.verified));
    this.#send(agent.caller.name, 'PromptRaised', 'a{sv}', [info]);
  }

  #showPending(agent: Agent): void {
    for (const view of this.#engine.prompts()) {
      if (view.info.status !== 'pending' || agent.shown.has(view.info.nonce)) continue;
      if (this.#agents.maySee(agent, view.target)) this.#show(agent, view);
    }
  }

  #agentMethods(): ServedInterface['methods'] {
    return {
      RegisterAgent: method({
        input: [agentOptions],
        names: ['options'],
        output: [agentRegistration],
        run: async (call, options) => {
          const agent = await this.#agents.register(call.caller, options.name ?? '');
          // After the answer: an agent must know that it is one before it is asked.
          setImmediate(() => {
            if (this.#agents.get(call.caller.name) === agent) this.#showPending(agent);
          });
          return [{ session: agent.session, verified: agent.verified }];
        },
      }),
      UnregisterAgent: method({
        input: [],
        names: [],
        output: [],
        run: (call) => {
          if (!this.#agents.remove(call.caller.name)) throw new BastionError('NotAnAgent');
          return [];
        },
      }),
    };
  }

  #answerMethods(): ServedInterface['methods'] {
    return {
      Answer: method({
        input: [id, answer],
        names: ['nonce', 'decision'],
        output: [answerResult],
        freeze: (nonce, wanted) => [nonce, completed(this.#engine.promptByNonce(nonce), wanted)],
        cost: (caller, nonce, wanted) =>
          answerCost(this.#engine.promptByNonce(nonce), wanted, caller, this.#isVerified(caller), this.#engine.ruleInfos()),
        details: (_caller, nonce, wanted) => answerDetails(this.#engine.promptByNonce(nonce), wanted),
        run: async (_call, nonce, wanted) => {
          const done = await this.#engine.answer(nonce, wanted);
          return [{ rule_id: done.ruleId ?? '', flows: done.flows }];
        },
      }),
      ListPending: method({
        input: [limit, cursor],
        names: ['limit', 'cursor'],
        output: [rows(promptInfo), string],
        run: async (call, count, from) => {
          const page = pageOf(await this.#visibleTo(call), (view) => view.info.id, count, from);
          const verified = this.#isVerified(call.caller);
          return [page.rows.map((view) => forReceiver(view, verified)), page.next];
        },
      }),
    };
  }

  #waitingMethods(): ServedInterface['methods'] {
    return {
      Hold: method({
        input: [id],
        names: ['nonce'],
        output: [u64],
        run: ({ caller }, nonce) => {
          this.#checkOwn(caller, this.#engine.promptByNonce(nonce));
          return [this.#engine.renewPrompt(nonce)];
        },
      }),
      Dismiss: method({
        input: [array(id, DISMISS_LIMIT)],
        names: ['nonces'],
        output: [u32],
        run: ({ caller }, nonces) => {
          const wanted = new Set(nonces);
          const there = this.#engine.prompts().filter(({ info }) => wanted.has(info.nonce));
          for (const view of there) this.#checkOwn(caller, view);
          return [this.#engine.dismissPrompts(there.map(({ info }) => info.nonce))];
        },
      }),
    };
  }

  /** Without a password, whatever it would cost to answer: it decides nothing. Throws NotAuthorized. */
  #checkOwn(caller: Caller, { target }: PromptView): void {
    const agent = this.#agents.get(caller.name);
    const isAsked = agent !== null && this.#agents.maySee(agent, target);
    if (!isAsked && caller.uid !== 0 && (target.system || target.uid !== caller.uid)) {
      throw new BastionError('NotAuthorized', 'This prompt is another user’s.');
    }
  }

  async #visibleTo(call: Call): Promise<readonly PromptView[]> {
    const views = this.#engine.prompts();
    const agent = this.#agents.get(call.caller.name);
    const own = (view: PromptView): boolean =>
      view.target.uid === call.caller.uid || (agent !== null && this.#agents.maySee(agent, view.target));
    if (views.every(own)) return views;
    return (await call.allows(ACTIONS.viewAll)) ? views : views.filter(own);
  }

  #isVerified(caller: Caller): boolean {
    return this.#agents.get(caller.name)?.verified === true;
  }
}

function answerDetails(view: PromptView, wanted: Answer): Details {
  const { application, destination } = view.info;
  return { subject: forDialog(`${wanted.action} ${application} → ${destination}, ${wanted.lifetime ?? 'default'}`) };
}
