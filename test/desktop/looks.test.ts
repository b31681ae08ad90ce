/** Every page in the narrowest window, with high contrast, with text twice as large, and from the right to the left: all of it is there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { PAGE_IDS } from '../../desktop/ui/page.ts';
import { PSEUDO } from '../../tools/po/pseudo.ts';
import { sampleApplications, sampleProposals } from './application-samples.ts';
import { DesktopSession, missingForDesktop } from './desktop-session.ts';
import type { Bounds, SessionOptions } from './desktop-session.ts';
import { sampleFlows } from './flow-samples.ts';
import { SAMPLE_NETWORK, promptOf, sampleRules, trafficOf } from './samples.ts';

const missing = await missingForDesktop();
const options = missing === '' ? {} : { skip: missing };
const NARROW = { width: 360, height: 800 };
/** Where no compositor draws a shadow, the toolkit draws a frame around what it counts as the window. */
const FRAME_PX = 5;
/** What scrolls and is lower is a row of filters, which is moved from side to side. */
const FILTER_ROW_PX = 120;
const MOST_LOOKS = 40;
const CONTROLS = ['push button', 'toggle button', 'check box', 'radio button', 'combo box', 'text', 'password text', 'switch', 'slider', 'link', 'spin button'];
const SEEN = new Set([...CONTROLS, 'label']);

const LOOKS: readonly { readonly name: string; readonly what: string; readonly options: SessionOptions }[] = [
  { name: 'contrast', what: 'with high contrast', options: { environment: { ADW_DEBUG_HIGH_CONTRAST: '1' } } },
  { name: 'large', what: 'with text twice as large', options: { textScale: 2 } },
  { name: 'rtl', what: 'from the right to the left', options: { environment: { LANG: 'en_US.UTF-8', LANGUAGE: PSEUDO.rightToLeft } } },
];

async function startWith(t: TestContext, look: SessionOptions): Promise<DesktopSession> {
  const session = await DesktopSession.start(t, { arguments: [], ...look });
  const nowMs = Date.now();
  session.say({ do: 'rules', rules: sampleRules(nowMs) });
  session.say({ do: 'flows', flows: sampleFlows(nowMs) });
  session.say({ do: 'network', network: SAMPLE_NETWORK });
  session.say({ do: 'traffic', traffic: [trafficOf('/usr/bin/curl', 1_480_000, 90_000)] });
  session.say({ do: 'answer', call: 'listApplications', value: sampleApplications(nowMs) });
  session.say({ do: 'answer', call: 'proposeRules', value: sampleProposals(nowMs) });
  session.say({ do: 'keep', prompt: promptOf({ id: 'p7', nonce: 'kept', path: '/usr/bin/backup', application: 'backup', status: 'expired', expires_in_ms: 0 }) });
  await session.connect();
  return session;
}

/** Reaches over an edge. What is wholly beyond one is the list of pages, which is folded away and keeps its old place. */
function cut(from: number, to: number): boolean {
  return (from < 0 && to > 0) || (from < NARROW.width && to > NARROW.width);
}

/** What makes the window wider, and the controls and texts that reach over its edge. */
function outside(bounds: readonly Bounds[]): readonly string[] {
  const reaches = bounds.filter(({ role, x, width, paneHeight }) => (
    (role === 'frame' && width !== NARROW.width)
    || (SEEN.has(role) && cut(x, x + width) && (paneHeight === 0 || paneHeight > FILTER_ROW_PX))
  ));
  return reaches.map(({ role, name, x, width }) => `${role} "${name}" from ${String(x)} to ${String(x + width)}`);
}

function hasControl(bounds: readonly Bounds[]): boolean {
  return bounds.some(({ role, width }) => CONTROLS.includes(role) && width > 0);
}

/** A busy session tells late what its first window holds. */
async function drawn(session: DesktopSession): Promise<readonly Bounds[]> {
  let bounds = await session.bounds();
  for (let look = 1; look < MOST_LOOKS && !hasControl(bounds); look += 1) {
    await session.dark(false);
    bounds = await session.bounds();
  }
  return bounds;
}

for (const { name, what, options: look } of LOOKS) {
  test(`looks: no control and no text of any page is outside of a window of 360 pixels, ${what}`, options, async (t) => {
    const session = await startWith(t, look);
    await session.focus('');
    await session.resize('', NARROW.width + 2 * FRAME_PX, NARROW.height + 2 * FRAME_PX);
    const found: Record<string, readonly string[]> = {};
    for (const [index, id] of PAGE_IDS.entries()) {
      await session.key(`ctrl+${String(index + 1)}`);
      await session.dark(false);
      await session.screenshot(`looks-${name}-${id}`);
      const bounds = await drawn(session);
      assert.ok(hasControl(bounds), `${id} has no control`);
      const reaches = outside(bounds);
      if (reaches.length > 0) found[id] = reaches;
    }
    assert.deepEqual(found, {});
  });
}
