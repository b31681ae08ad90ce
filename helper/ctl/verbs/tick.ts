/** A list on the terminal of which numbers are ticked. */
import type { Context } from '../context.ts';

const LONGEST_NUMBER = 4;

/**
 * Lets a person tick rows by number until he takes or leaves them. `canTick` says for each row whether it can be; `draw` gives
 * the list with these places ticked, safe to print. Returns the ticked places in order, none when he leaves.
 */
export async function tickRows(
  context: Context, canTick: readonly boolean[], draw: (ticked: ReadonlySet<number>) => string,
): Promise<readonly number[]> {
  const { io } = context;
  const ticked = new Set<number>();
  const all = canTick.flatMap((can, index) => (can ? [index] : []));
  let typed = '';
  const show = (): void => {
    io.out(`\x1b[H\x1b[2J${draw(ticked)}\nA number and Enter ticks, a ticks all, y adds what is ticked, q leaves: ${typed}`);
  };
  const toggle = (place: number): void => {
    if (canTick[place] !== true) return;
    if (!ticked.delete(place)) ticked.add(place);
  };
  let finish: (places: readonly number[]) => void = () => undefined;
  const done = new Promise<readonly number[]>((resolve) => (finish = resolve));
  const take = (key: string): void => {
    if (/^[0-9]$/.test(key)) typed = (typed + key).slice(0, LONGEST_NUMBER);
    else if (key === 'enter' || key === ',') {
      toggle(Number(typed) - 1);
      typed = '';
    } else if (key === 'a') {
      const every = all.every((place) => ticked.has(place));
      ticked.clear();
      if (!every) for (const place of all) ticked.add(place);
    } else if (key === 'y') finish([...ticked].sort((a, b) => a - b));
    else if (['q', 'escape', 'interrupt', 'end'].includes(key)) finish([]);
    else typed = '';
    show();
  };
  const keyboard = io.keyboard(take);
  void io.untilStopped().then(() => { finish([]); });
  show();
  try {
    return await done;
  } finally {
    keyboard.close();
    io.out('\n');
  }
}
