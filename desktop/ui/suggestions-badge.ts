/** The number beside the page's name: how many suggestions there are while learning. */
import { HiddenSuggestions, hiddenPath } from '../client/hidden-suggestions.ts';
import { Suggestions } from '../client/suggestions.ts';
import { suggestionsOf } from '../model/suggestion.ts';
import type { PageContext } from './page.ts';

/** It costs the helper a look through the history, and is no more than a hint. */
const AGAIN_MS = 60_000;

/** Right from the window's start, and while it is shown: read when learning begins, then as connections are decided, not often. */
export function watchSuggestions(context: PageContext): void {
  const { session } = context;
  const suggestions = Suggestions.of(session);
  const isLearning = (): boolean => session.knowledge.connected && session.knowledge.status?.mode === 'learning';
  let wasLearning = false;
  let readAtMs = Number.NEGATIVE_INFINITY;
  let seen = 0;
  const count = (): void => {
    const { state } = suggestions;
    if (!isLearning() || state.kind !== 'ready') {
      context.setBadge('suggestions', 0);
      return;
    }
    const hidden = new HiddenSuggestions(hiddenPath(process.env));
    const found = suggestionsOf(state.open, context.find, session.clocks.wallMs());
    context.setBadge('suggestions', found.filter(({ key }) => !hidden.has(key)).length);
  };
  const look = (): void => {
    const learning = isLearning();
    const decided = session.knowledge.status?.statistics.allowed ?? 0;
    const nowMs = session.clocks.nowMs();
    const isDue = decided !== seen && nowMs - readAtMs > AGAIN_MS && context.window.getMapped();
    if (learning && (!wasLearning || isDue)) {
      [readAtMs, seen] = [nowMs, decided];
      suggestions.peek();
    }
    if (learning === wasLearning) return;
    wasLearning = learning;
    count();
  };
  suggestions.changed.on(count);
  session.changed.on(look);
  context.window.on('map', look);
  look();
}
