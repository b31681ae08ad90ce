/** What a prompt says, where every text in it is somebody else's. Bytes 0xff stand between them. */
import assert from 'node:assert/strict';
import { answerOf, defaultChoice, lifetimeChoices, scopeChoices } from '../../../desktop/model/choices.ts';
import { escapeMarkup, SHOWN_LIMIT } from '../../../desktop/model/plain-text.ts';
import { aboutLine, originText } from '../../../desktop/model/prompt-about.ts';
import { promptDetails } from '../../../desktop/model/prompt-details.ts';
import { hostTitle, lateAnswerText, notificationBody, placeLine, promptBody, promptSubtitle, promptTitle, ruleSentence, severalBody, startedBy } from '../../../desktop/model/prompt-text.ts';
import { promptWarning } from '../../../desktop/model/prompt-warning.ts';
import { answer, promptInfo } from '../../../helper/contract/types.ts';
import type { PromptInfo } from '../../../helper/contract/types.ts';
import { promptOf } from '../../desktop/samples.ts';
import type { Target } from '../engine.ts';

const BETWEEN = 0xff;
const TEXT_CHARACTERS = 400;
const NOW_MS = 1_800_000_000_000;
/** What a line must not hold: it would be another line, turn it around, or not be seen. */
const UNFIT = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;
/** What tells a widget or a notification server of markup. */
const MARKUP = /[<>"']|&(?!(?:amp|lt|gt|quot|apos);)/u;
const nobody = (): null => null;

function textsOf(input: Buffer): readonly string[] {
  const texts: string[] = [];
  for (let at = 0; at <= input.length;) {
    const found = input.indexOf(BETWEEN, at);
    const end = found === -1 ? input.length : found;
    texts.push(input.toString('utf8', at, end).slice(0, TEXT_CHARACTERS).toWellFormed());
    at = end + 1;
  }
  return texts;
}

type OptionalText = 'script' | 'package' | 'flatpak' | 'snap' | 'appimage' | 'forwarded_from' | 'container' | 'image' | 'by_name' | 'pattern' | 'named_by' | 'sha256';

/** The first text chooses which of the optional ones are there. */
function promptFrom(input: Buffer): PromptInfo {
  const [choice = '', ...texts] = textsOf(input);
  const bits = choice.codePointAt(0) ?? 0;
  const text = (at: number): string => texts[at % Math.max(texts.length, 1)] ?? '';
  const given = (bit: number, key: OptionalText, at: number): Partial<Pick<PromptInfo, OptionalText>> => ((bits & (1 << bit)) === 0 ? {} : { [key]: text(at) });
  const scopes = ['host', 'domain', 'port', 'any'] as const;
  return promptOf({
    path: text(0), command: text(1), destination: text(2), address: text(3), user: text(4), application: text(5), protocol: text(6), names: [text(2), text(7)],
    name_sources: [(bits & 1) === 0 ? 'program' : 'machine', 'hosts'], is_lookup: (bits & 2) !== 0, confidence: (bits & 4) === 0 ? 'certain' : 'likely', scopes: [...scopes],
    ancestors: [{ pid: 7, path: text(8), command: text(9), script: text(10) }, { pid: 6, path: text(11), command: text(12) }], port: bits % 65_536,
    ...given(3, 'script', 13), ...given(4, 'package', 14), ...given(5, 'flatpak', 15), ...given(6, 'snap', 16), ...given(7, 'appimage', 17), ...given(8, 'forwarded_from', 18),
    ...given(9, 'container', 19), ...given(10, 'image', 20), ...given(11, 'by_name', 21), ...given(12, 'pattern', 22), ...given(13, 'named_by', 23), ...given(14, 'sha256', 24),
  });
}

function assertShown(where: string, text: string, lines: number): void {
  const parts = text.split('\n');
  assert.ok(parts.length <= lines, `${where} has ${String(parts.length)} lines: ${JSON.stringify(text)}`);
  for (const part of parts) assert.ok(!UNFIT.test(part), `${where} shows what cannot be seen: ${JSON.stringify(part)}`);
  assert.ok(text.length <= 8 * SHOWN_LIMIT, `${where} is too long`);
  assert.doesNotMatch(escapeMarkup(text), MARKUP);
}

function run(input: Buffer): void {
  const prompt = promptFrom(input);
  const one = { promptTitle: promptTitle(prompt, nobody), startedBy: startedBy(prompt, nobody), promptSubtitle: promptSubtitle(prompt, nobody), hostTitle: hostTitle(prompt),
    placeLine: placeLine(prompt, 'DE'), promptBody: promptBody(prompt), originText: originText(prompt), promptWarning: promptWarning(prompt, nobody),
    severalBody: severalBody([prompt], nobody), lateAnswer: lateAnswerText('allow', prompt, nobody) };
  for (const [where, text] of Object.entries(one)) assertShown(where, text, 1);
  assertShown('aboutLine', aboutLine(prompt, nobody), 2);
  assertShown('notificationBody', notificationBody(prompt, nobody), 2);
  for (const { title, text } of promptDetails(prompt)) {
    assertShown('a detail', title, 1);
    assertShown(title, text, 12);
  }
  for (const scope of scopeChoices(prompt)) {
    assertShown('scope', scope.label, 1);
    for (const lifetime of lifetimeChoices(prompt)) {
      const chosen = { ...defaultChoice(prompt), scope: scope.value, lifetime: lifetime.value };
      for (const action of ['allow', 'deny'] as const) {
        assertShown('ruleSentence', ruleSentence(prompt, action, chosen, nobody), 1);
        answer.decode(answer.encode(answerOf(prompt, action, chosen, NOW_MS)), 'answer');
      }
    }
  }
  // What is sent is what comes: a NUL, which D-Bus has none of, is spelled out on the way.
  const sent = promptInfo.decode(promptInfo.encode(prompt), 'prompt');
  if (!input.includes(0)) assert.deepEqual(sent, prompt);
}

/** Texts that are harmless, in the order of the fields. */
const PLAIN = [
  '/usr/bin/curl', 'curl', 'xn--mnchen-3ya.de', '203.0.113.7', 'alice', 'curl', 'tcp', 'www.example.org', '/usr/bin/bash', 'bash', '/home/a/x.sh', '/usr/bin/xterm', 'xterm',
  '/home/a/y.py', 'curl', 'org.example.App', 'snap', '/home/a/b.AppImage', 'A container', 'web', 'nginx:1', 'example.org', '*.example.org', 'path', 'ab',
];

function joined(choice: string, texts: readonly string[]): Buffer {
  return Buffer.concat([choice, ...texts].flatMap((text, at) => (at === 0 ? [Buffer.from(text)] : [Buffer.from([BETWEEN]), Buffer.from(text)])));
}

export const target: Target = {
  name: 'prompt', run, maxBytes: 4096,
  seeds: [joined('', PLAIN), joined('\u{7fff}', PLAIN), joined('\u{5555}', PLAIN), joined('\u{2aaa}', PLAIN), joined('\u{3}', ['', '', 'м.example'])],
  dictionary: ['\u{202e}', '\u{2066}', '\u{200b}', '\u{fe0f}', '\u{2800}', '\u{3164}', 'xn--80ak6aa92e.com', '<b>', '&amp;', '\u{1b}[31m', '\r', '\u{85}', '\u{e000}', 'a\u{301}\u{301}\u{301}\u{301}\u{301}', '/tmp/', '{program}', '{host}', '%s', '192.168.0.1', '::1'],
};
