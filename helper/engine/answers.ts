/** From an answer on the wire to what it means for one prompt. */
import { assertNever, BastionError } from '../contract/errors.ts';
import type { Answer } from '../contract/types.ts';
import type { Lifetime, Scope } from '../contract/vocabulary.ts';
import { wholeSeconds } from '../policy/time.ts';
import type { Choices, LifetimeName } from '../prompt/choices.ts';

/** An answer with everything filled in that was left to the prompt's defaults. */
export interface FullAnswer {
  readonly action: Answer['action'];
  readonly lifetime: Lifetime;
  readonly scope: Scope;
  readonly includeChildren: boolean;
}

/** Longest answer with an end: ten years, beyond which `always` is meant. */
const LONGEST_UNTIL_MS = 315_576_000_000;

function lifetimeOf(name: LifetimeName, untilMs: number | undefined, nowMs: number): Lifetime {
  switch (name) {
    case 'once':
    case 'process':
    case 'session':
    case 'boot':
    case 'always':
      if (untilMs !== undefined) throw new BastionError('InvalidArgument', "until_ms: only with the lifetime 'until'.");
      return name;
    case 'until': {
      const until = wholeSeconds(untilMs ?? 0);
      if (until <= nowMs || until > nowMs + LONGEST_UNTIL_MS) {
        throw new BastionError('InvalidArgument', "until_ms: the lifetime 'until' needs a time to come.");
      }
      return { until };
    }
    default:
      return assertNever(name);
  }
}

/** Throws BastionError InvalidArgument for what the prompt does not offer, PromptGone for `once` after the flow was refused. */
export function completeAnswer(answer: Answer, offered: Choices, expired: boolean, nowMs: number): FullAnswer {
  const name = answer.lifetime ?? (answer.until_ms === undefined ? offered.defaultLifetime : 'until');
  const scope = answer.scope ?? offered.defaultScope;
  if (expired && name === 'once') {
    throw new BastionError('PromptGone', 'The connection was refused before the answer came; choose how long it shall hold.');
  }
  if (!offered.lifetimes.includes(name)) {
    throw new BastionError('InvalidArgument', `lifetime: this prompt offers ${offered.lifetimes.join(', ') || 'none'}.`);
  }
  if (!offered.scopes.includes(scope)) {
    throw new BastionError('InvalidArgument', `scope: this prompt offers ${offered.scopes.join(', ')}.`);
  }
  const includeChildren = answer.include_children === true;
  if (includeChildren && (name === 'once' || name === 'process')) {
    throw new BastionError('InvalidArgument', `include_children: not with the lifetime '${name}', which is for this process alone.`);
  }
  if (includeChildren && !offered.children) {
    throw new BastionError('InvalidArgument', 'include_children: this program could not be named by a rule, and so not what it starts.');
  }
  return { action: answer.action, lifetime: lifetimeOf(name, answer.until_ms, nowMs), scope, includeChildren };
}
