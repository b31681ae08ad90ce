/** What must not be seen of names that somebody chose to deceive. */
import assert from 'node:assert/strict';
import { until } from '../integration/support.ts';
import type { DesktopSession } from './desktop-session.ts';

export const NARROW_PX = 360;

/** Nothing that cannot be seen; the lines of a label of our own end in a line feed. */
export const UNSEEN = /(?!\n)[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/u;
/** A line feed of the name, markup that was escaped twice, marks that reach into the lines above and below. */
const WRONG = { unseen: UNSEEN, 'a second line': /evil\n/u, 'escaped twice': /&lt;b&gt;|&amp;(?:amp|lt|gt);/u, 'stacked marks': /\p{M}{5}/u } as const;
/** The end of one name, which lists show even of a path with it. */
export const LITERAL = 'b>&amp;<span';
/** What the toolkit and the runtime print when something went wrong. */
export const COMPLAINT = /(?:WARNING|CRITICAL|ERROR) \*\*|-(?:WARNING|CRITICAL)|Error:|Unhandled|^\s+at /mu;
/** Longer than anything is shown whole. */
const LONGEST = 6000;

/** What is wrong with the texts that are shown, where nothing is. */
export function faults(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)].flatMap((text) => {
    const found = Object.entries(WRONG).flatMap(([what, pattern]) => (pattern.test(text) ? [what] : []));
    if (text.length > LONGEST) found.push(`${String(text.length)} characters`);
    return found.length === 0 ? [] : [`${found.join(', ')}: ${JSON.stringify(text.slice(0, 120))}`];
  });
}

export interface Looks {
  /** Of the widest window, default 360. */
  readonly width?: number;
  /** Texts of these roles are what is edited, as it is. */
  readonly asItIs?: readonly string[];
}

/** Looks at everything that is shown: markup is there as it was written, and no name does what it wants. */
export async function assertHarmless(session: DesktopSession, where: string, { width = NARROW_PX, asItIs = [] }: Looks = {}): Promise<void> {
  const texts = await until(`${where}: markup as it was written`, async () => {
    const shown = (await session.words()).filter(({ role }) => !asItIs.includes(role)).flatMap(({ said }) => said);
    return shown.some((text) => text.includes(LITERAL)) ? shown : null;
  }, 20_000);
  assert.deepEqual(faults(texts), [], where);
  const wide = (await session.bounds()).filter((one) => one.role === 'frame' && one.width > width).map((one) => `${one.name.slice(0, 60)}: ${String(one.width)}`);
  assert.deepEqual(wide, [], `${where}: wider than the window was`);
  assert.doesNotMatch(session.app.stderr, COMPLAINT, where);
}
