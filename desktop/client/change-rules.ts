/** Makes many changes of rules, one call after the other, with a limit on those under way. */
import type { HelperClient } from '../../helper/contract/client.ts';
import { assertNever, BastionError } from '../../helper/contract/errors.ts';
import { errorText, isNotAuthorized } from '../model/error-text.ts';
import type { Change, RunResult, Step } from '../model/rule-bulk.ts';

/** The helper writes one at a time; more under way would only fill the places that it gives one connection. */
const UNDER_WAY = 4;

export interface RunOptions {
  /** How many calls have been answered. */
  progress(done: number, total: number): void;
  isStopped(): boolean;
}

function call(client: HelperClient, step: Step): Promise<unknown> {
  switch (step.op) {
    case 'add': return client.addRule(step.edit);
    case 'update': return client.updateRule(step.id, step.edit);
    case 'remove': return client.removeRule(step.id);
    default: return assertNever(step);
  }
}

/** What was to go and is gone has been done by somebody else. */
function isDoneAlready(step: Step, error: unknown): boolean {
  return step.op === 'remove' && error instanceof BastionError && error.code === 'NotFound';
}

/**
 * Never rejects. The first call goes alone, because it may ask for the password, and asks once for all. Calls are sent in their
 * order, which is the order in which the helper takes them.
 */
export async function runChanges(client: HelperClient, changes: readonly Change[], options: RunOptions): Promise<RunResult> {
  const done: (Change | undefined)[] = [];
  const failed = { count: 0, message: '' };
  let answered = 0;
  const state = { refused: false };
  const one = async (at: number, change: Change): Promise<void> => {
    try {
      await call(client, change.step);
      done[at] = change;
    } catch (error: unknown) {
      if (isDoneAlready(change.step, error)) done[at] = { ...change, undo: null };
      else if (isNotAuthorized(error)) state.refused = true;
      else if (failed.count === 0) Object.assign(failed, { count: 1, message: errorText(error) });
      else failed.count += 1;
    }
    answered += 1;
    options.progress(answered, changes.length);
  };
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let change = changes[next]; change !== undefined && !state.refused && !options.isStopped(); change = changes[next]) {
      const at = next;
      next += 1;
      await one(at, change);
      if (at === 0) break;
    }
  };
  await worker();
  await Promise.all(Array.from({ length: UNDER_WAY }, worker));
  const end = state.refused ? 'refused' : answered < changes.length ? 'stopped' : 'all';
  return { done: done.filter((change) => change !== undefined), failed, end };
}

/** The changes that take back those that were done, in the same order. */
export function undoOf(result: RunResult): readonly Change[] {
  return result.done.flatMap(({ step, undo }) => (undo === null ? [] : [{ step: undo, undo: step }]));
}
