/** A question that answers itself with no when its time is over. */
import type { Context } from '../context.ts';

/**
 * Asks on the terminal, with the seconds that are left. True for `y`; false for any other key, at the end of the time, or
 * when the process is told to stop.
 */
export async function confirmWithin(context: Context, question: string, ms: number): Promise<boolean> {
  const { io } = context;
  const deadline = io.now() + ms;
  const draw = (): void => {
    io.out(`\r\x1b[K${question} [y/N] back in ${context.format.span(deadline - io.now())} `);
  };
  let decide: (yes: boolean) => void = () => undefined;
  const decided = new Promise<boolean>((resolve) => (decide = resolve));
  const keyboard = io.keyboard((key) => decide(key === 'y'));
  void io.untilStopped().then(() => decide(false));
  const ticking = setInterval(draw, 1000);
  const timeout = setTimeout(() => decide(false), ms);
  draw();
  try {
    return await decided;
  } finally {
    clearInterval(ticking);
    clearTimeout(timeout);
    keyboard.close();
    io.out('\n');
  }
}

/** Asks on the terminal, for as long as it takes. True for `y`; false for any other key, or when the process is told to stop. */
export async function confirm(context: Context, question: string): Promise<boolean> {
  const { io } = context;
  let decide: (yes: boolean) => void = () => undefined;
  const decided = new Promise<boolean>((resolve) => (decide = resolve));
  const keyboard = io.keyboard((key) => decide(key === 'y'));
  void io.untilStopped().then(() => decide(false));
  io.out(`${question} [y/N] `);
  try {
    return await decided;
  } finally {
    keyboard.close();
    io.out('\n');
  }
}
