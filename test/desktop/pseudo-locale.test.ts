/** Every page in a language of longer texts, from the left and from the right: nothing untranslated, nothing cut off at 360 pixels. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PAGE_IDS } from '../../desktop/ui/page.ts';
import { PSEUDO, PSEUDO_MARKS } from '../../tools/po/pseudo.ts';
import { DesktopSession, missingForDesktop } from './desktop-session.ts';
import { sampleRules } from './samples.ts';

const missing = await missingForDesktop();
const options = missing === '' ? {} : { skip: missing };
/** Below it nothing can be used; the frame is a part of it. */
const NARROW_PX = 360;

/** Names that the toolkit gives what has none, and its own buttons, which its own catalogues translate. */
const TOOLKIT = /^(?:\(None\)|(?:Gtk|Adw|Gdk)[A-Z]\w*|Minimize|Maximize|Close|org\.bastionfirewall\.Desktop)$/;
/** What is shown as it is: commands, lines for bastion.toml, paths, addresses, names of the samples. */
const DATA = /^(?:bastionctl [\w ]+|\/\S*|[\w.*-]+\.example\.org|[\d.,:%/ ]+|curl|steam|ssh|git|bash|xterm|TCP|UDP|ICMP|Home|\[\[interface\]\][^]*)$/;

/** Texts with a letter that no catalogue can have changed. */
function untranslated(names: readonly string[]): readonly string[] {
  return names.filter((line) => {
    const name = line.slice(line.indexOf(': ') + 2);
    return /\p{L}/u.test(name) && !name.includes(PSEUDO_MARKS.begin) && !TOOLKIT.test(name) && !DATA.test(name);
  });
}

async function startIn(t: Parameters<typeof DesktopSession.start>[0], language: string): Promise<DesktopSession> {
  const session = await DesktopSession.start(t, { arguments: [], environment: { LANG: 'en_US.UTF-8', LANGUAGE: language } });
  session.say({ do: 'rules', rules: sampleRules(Date.now()) });
  await session.connect();
  await session.focus('');
  return session;
}

test('pseudo-locale: every text of every page, the editor and the first steps can be translated', options, async (t) => {
  const session = await startIn(t, PSEUDO.leftToRight);
  const found = new Map<string, readonly string[]>();
  for (const [index, id] of PAGE_IDS.entries()) {
    await session.key(`ctrl+${String(index + 1)}`);
    await session.dark(false);
    await session.screenshot(`pseudo-${id}`);
    found.set(id, untranslated(await session.dump()));
  }
  await session.key('ctrl+n');
  await session.dark(false);
  found.set('editor', untranslated(await session.dump()));
  assert.deepEqual(Object.fromEntries([...found].filter(([, names]) => names.length > 0)), {});
});

test('pseudo-locale: from the right to the left every page fits into 360 pixels', options, async (t) => {
  const session = await startIn(t, PSEUDO.rightToLeft);
  await session.resize('', NARROW_PX, 800);
  const wide: string[] = [];
  for (const [index, id] of PAGE_IDS.entries()) {
    await session.key(`ctrl+${String(index + 1)}`);
    await session.dark(false);
    await session.screenshot(`pseudo-rtl-${id}`);
    for (const { role, name, width } of await session.bounds()) {
      if ((role === 'scroll pane' || role === 'frame') && width > NARROW_PX) wide.push(`${id}: ${role} ${name} ${String(width)}`);
    }
  }
  assert.deepEqual(wide, []);
});
