/** What the terminal agent prints, as lines. Everything from outside is escaped; nothing is wider than asked. */
import type { PromptEnd, PromptInfo } from '../../contract/types.ts';
import { cutEnd, cutMiddle, displayWidth, printable, wrapped } from '../text/escape.ts';
import type { Format, Style } from '../text/format.ts';
import { answerSentence, lifetimeWords, namedEndpoint, scopeWords, serviceWords, sourceWords } from '../text/words.ts';
import { coversChildren, offersChildren } from './model.ts';
import type { AgentModel, Shown } from './model.ts';
import { ancestorWords, identityRows, promptWarning, startedBy } from './program.ts';

export interface Canvas {
  readonly width: number;
  readonly style: Style;
  readonly format: Format;
}

function names(prompt: PromptInfo): string {
  return prompt.destination === prompt.address ? prompt.address : namedEndpoint(prompt.destination, prompt.name_sources[0], prompt.address);
}

/** The lines that say who wants to go where; printed once, they stay in the scrollback. */
export function promptLines(prompt: PromptInfo, canvas: Canvas): readonly string[] {
  const { width, style } = canvas;
  const count = prompt.count > 1 ? `, ${canvas.format.count(prompt.count)} connections` : '';
  const problem = promptWarning(prompt);
  const fit = (text: string): string => cutEnd(text, width);
  return [
    '',
    style.strong(fit(`${printable(prompt.application)} wants to connect`)),
    `  ${style.strong(cutMiddle(printable(names(prompt)), width - 2))}`,
    `  ${cutEnd(printable(`${serviceWords(prompt.protocol, prompt.port)}${startedBy(prompt)}${count}`), width - 2)}`,
    ...(prompt.path === '' ? [] : [`  ${style.faint(cutMiddle(printable(prompt.path), width - 2))}`]),
    ...(problem === '' ? [] : wrapped(printable(problem), width - 2).map((line) => `  ${style.warn(line)}`)),
  ];
}

/** More about it, on request. */
export function detailLines(prompt: PromptInfo, canvas: Canvas): readonly string[] {
  const rows: readonly (readonly [string, string])[] = [
    ...(prompt.forwarded_from === undefined
      ? [
          ['Process', `${String(prompt.pid)}, calls itself ${prompt.command}`],
          ['User', `${prompt.user} (${String(prompt.uid)})`],
          ['Path', prompt.path || 'unknown'],
          ...identityRows(prompt),
        ] as const
      : [['From', prompt.forwarded_from]] as const),
    ...(prompt.container === undefined ? [] : [['Container', prompt.container], ['Image', prompt.image ?? '']] as const),
    ['Address', `${prompt.address}, ${prompt.protocol}${prompt.port === 0 ? '' : ` ${String(prompt.port)}`}`],
    ...prompt.names.map((name, index) => [index === 0 ? 'Names' : '', `${name}${sourceWords(prompt.name_sources[index])}`] as const),
    ['Known by', `${prompt.evidence}, ${prompt.confidence}`],
    ...prompt.ancestors.map((one, index) => ['Parent', `${'  '.repeat(index)}${ancestorWords(one)} (${String(one.pid)})`] as const),
  ];
  return rows.map(([name, value]) => `  ${canvas.style.faint(name.padEnd(9))} ${cutEnd(printable(value), canvas.width - 12)}`);
}

/** One line when a prompt ends without an answer from here. */
export function endLine(prompt: PromptInfo, why: PromptEnd, canvas: Canvas): string {
  const who = printable(prompt.application);
  switch (why) {
    case 'answered': return cutEnd(`${who}: answered elsewhere.`, canvas.width);
    case 'expired': {
      const next = `bastionctl prompts answer ${printable(prompt.id)} allow`;
      return cutEnd(`${who}: refused, nobody answered in time. For its next attempt: ${next}`, canvas.width);
    }
    case 'withdrawn': return cutEnd(`${who}: no longer waits.`, canvas.width);
  }
}

interface Item {
  readonly plain: string;
  readonly styled: string;
}

/** Breaks items into lines; three spaces between two. */
function flow(items: readonly Item[], width: number): readonly string[] {
  const lines: { width: number; text: string }[] = [];
  for (const item of items) {
    const itemWidth = displayWidth(item.plain);
    const last = lines.at(-1);
    if (last !== undefined && last.width + 3 + itemWidth <= width) {
      last.width += 3 + itemWidth;
      last.text += `   ${item.styled}`;
    } else {
      const fits = itemWidth <= width;
      lines.push({ width: Math.min(itemWidth, width), text: fits ? item.styled : cutEnd(item.plain, width) });
    }
  }
  return lines.map((line) => line.text);
}

function keyItem(style: Style, key: string, text: string): Item {
  return { plain: `[${key}] ${text}`, styled: `${style.strong(`[${key}]`)} ${text}` };
}

function promptKeys(shown: Shown, model: AgentModel, nowMs: number, canvas: Canvas): readonly string[] {
  const { style, width } = canvas;
  const { prompt, lifetime } = shown;
  const left = `refused in ${canvas.format.span(shown.deadlineMs - nowMs)}`;
  const cost = lifetime.free ? '' : ' (asks for a password)';
  const more = model.waiting > 0 ? [{ plain: `${String(model.waiting)} more wait`, styled: `${String(model.waiting)} more wait` }] : [];
  const items = [
    keyItem(style, 'a', 'allow'),
    keyItem(style, 'd', 'deny'),
    keyItem(style, 'l', `for: ${lifetimeWords(lifetime.value)}${cost}`),
    ...(prompt.scopes.length > 1 ? [keyItem(style, 's', `to: ${scopeWords(shown.scope, prompt)}`)] : []),
    ...(offersChildren(prompt, lifetime.value) ? [keyItem(style, 'c', `what it starts: ${shown.children ? 'too' : 'no'}`)] : []),
    ...(shown.details ? [] : [keyItem(style, 'i', 'details')]),
    keyItem(style, 'n', 'not now'),
    { plain: left, styled: style.warn(left) },
    ...more,
  ];
  return ['', ...flow(items, width)];
}

/** The lines below everything, drawn anew with each change: the rule that would be made, and the keys. */
export function liveLines(model: AgentModel, nowMs: number, canvas: Canvas): readonly string[] {
  const { shown } = model;
  const { style, width } = canvas;
  if (shown === null) {
    const back = model.aside > 0 ? [keyItem(style, 'b', `back to ${String(model.aside)} put aside`)] : [];
    const idle = 'Waiting for programs that ask.';
    return flow([{ plain: idle, styled: style.faint(idle) }, ...back, keyItem(style, 'q', 'quit')], width);
  }
  if (shown.answering) return [cutEnd('One moment.', width)];
  // The keys appear when they work, so that nobody presses one that is not heard.
  if (nowMs < shown.awakeAtMs) return [];
  const sentence = answerSentence(shown.prompt, 'allow', shown.scope, shown.lifetime.value, coversChildren(shown));
  return [...wrapped(`Allow: ${printable(sentence)}`, width - 2).map((line) => `  ${style.faint(line)}`), ...promptKeys(shown, model, nowMs, canvas)];
}
