/** bastionctl's own words: the command line, durations, times, and what it prints of texts from outside. NUL stands between words. */
import assert from 'node:assert/strict';
import { CommanderError } from 'commander';
import { COMMANDS, PROGRAM_TEXT } from '../../../helper/ctl/commands.ts';
import { describeFailure, UsageError } from '../../../helper/ctl/errors.ts';
import { durationMs, parseLifetime, timeAt } from '../../../helper/ctl/text/duration.ts';
import { displayWidth, jsonText, printable, printableLines } from '../../../helper/ctl/text/escape.ts';
import { rulesOfToml } from '../../../helper/ctl/text/rule-toml.ts';
import { isNoun, makeParser } from '../../../helper/ctl/tree.ts';
import type { Found } from '../../../helper/ctl/tree.ts';
import type { Target } from '../engine.ts';

const NOW_MS = 1_795_226_400_000;
const STEERS = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/u;

/** Nothing where the words are refused with a sentence. */
function tried<T>(work: () => T): T | null {
  try {
    return work();
  } catch (error: unknown) {
    if (!(error instanceof UsageError || error instanceof CommanderError)) throw error;
    const { message } = describeFailure(error, { path: 'bastionctl', line: 'bastionctl', unprivileged: true, elsewhere: false });
    assert.doesNotMatch(printable(message), STEERS);
    return null;
  }
}

function checkWords(args: readonly string[]): void {
  const found: Found[] = [];
  const parser = makeParser(COMMANDS, PROGRAM_TEXT, { out: () => undefined, err: () => undefined }, (what) => { found.push(what); });
  tried(() => parser.parse(args, { from: 'user' }));
  const [what, ...more] = found;
  assert.equal(more.length, 0);
  if (what === undefined) return;
  const { verb, invocation } = what;
  for (const [name, value] of Object.entries(invocation.options)) {
    if (value === undefined) continue;
    const option = verb.options?.find((one) => one.name === name);
    assert.ok(option !== undefined, `--${name} of ${what.path}`);
    assert.equal(typeof value, option.value === undefined ? 'boolean' : 'string');
    if (option.choices !== undefined) assert.ok(option.choices.includes(String(value)));
  }
  for (const value of invocation.args) assert.ok(args.includes(value));
}

function run(input: Buffer): void {
  const text = input.toString('utf8');
  checkWords(text.split('\0'));
  const [word = ''] = text.split('\0');
  const duration = durationMs(word);
  assert.ok(duration === null || (Number.isSafeInteger(duration) && duration >= 0), `${word} is ${String(duration)}`);
  tried(() => parseLifetime(word, NOW_MS));
  const time = tried(() => timeAt('--since', word, NOW_MS));
  assert.ok(time === null || Number.isSafeInteger(time), `${word} is ${String(time)}`);
  tried(() => rulesOfToml(text, 'a.toml'));
  assert.doesNotMatch(printable(text), STEERS);
  assert.equal(printable(printable(text)), printable(text));
  assert.doesNotMatch(printableLines(text).replaceAll(/[\n\t]/gu, ''), STEERS);
  assert.doesNotMatch(jsonText({ text }, false), STEERS);
  assert.deepEqual(JSON.parse(jsonText({ text }, true)), { text });
  assert.ok(displayWidth(text) <= 2 * text.length);
}

const VERBS = COMMANDS.flatMap((entry) => (isNoun(entry) ? entry.verbs.map((verb) => `${entry.name}\0${verb.name}`) : [entry.name]));

export const target: Target = {
  name: 'ctl', run, maxBytes: 1024,
  seeds: [...VERBS, '1h30m', 'until 2026-11-21 12:00', '2026-11-21T12:00:00Z', '[[rule]]\nid = "a"\naction = "allow"\n', 'rules\0add\0--json\0--\0-x', '-H\0root@host\0status'],
  dictionary: [...new Set(COMMANDS.flatMap((entry) => [entry, ...isNoun(entry) ? entry.verbs : []]).flatMap((entry) => (isNoun(entry) ? [] : (entry.options ?? []).map(({ name }) => `\0--${name}`)))), '\0--', '\0-', '=', '\0--no-', '90s', '2d', 'yesterday', '-1'],
};
