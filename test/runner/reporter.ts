/** A node:test reporter that writes one JSON line for each finished test (see events.ts). */
import { inspect } from 'node:util';
import type { TestEvent as NodeTestEvent } from 'node:test/reporters';
import type { TestEvent } from './events.ts';

const DETAIL_LINES = 40;

type Finished = Extract<NodeTestEvent, { type: 'test:pass' | 'test:fail' }>['data'];

/** The assertion that failed, without node:test's own wrapping. */
function failureText(error: Error): string {
  const cause = error.cause ?? error;
  const text = cause instanceof Error ? (cause.stack ?? cause.message) : inspect(cause);
  const lines = text.split('\n').filter((line) => !/^\s+at .*\(?node:/.test(line));
  return lines.slice(0, DETAIL_LINES).join('\n');
}

function failureType(error: Error): unknown {
  return 'failureType' in error ? error.failureType : undefined;
}

/** Skipped or marked as to be done: neither has shown anything. */
function skipReason(data: Finished): string | null {
  if (data.skip !== undefined && data.skip !== false) return typeof data.skip === 'string' ? data.skip : 'no reason given';
  if (data.todo !== undefined && data.todo !== false) return `to be done: ${String(data.todo)}`;
  return null;
}

/** null for what is no test of its own: a suite, or a test that failed only because one inside it did. */
function finished(type: 'test:pass' | 'test:fail', data: Finished): Omit<TestEvent, 'name'> | null {
  const durationMs = data.details.duration_ms;
  const skipped = skipReason(data);
  if (skipped !== null) return { outcome: 'skipped', detail: skipped, durationMs };
  const error = 'error' in data.details ? data.details.error : null;
  if (type === 'test:pass' || error === null) {
    return data.details.type === 'suite' ? null : { outcome: 'passed', detail: '', durationMs };
  }
  if (failureType(error) === 'subtestsFailed') return null;
  return { outcome: 'failed', detail: failureText(error), durationMs };
}

export default async function* reporter(source: AsyncIterable<NodeTestEvent>): AsyncGenerator<string> {
  const path: string[] = [];
  for await (const event of source) {
    if (event.type === 'test:start') {
      path.length = event.data.nesting;
      path.push(event.data.name);
    } else if (event.type === 'test:pass' || event.type === 'test:fail') {
      const result = finished(event.type, event.data);
      const name = [...path.slice(0, event.data.nesting), event.data.name].join(' > ');
      if (result !== null) yield `${JSON.stringify({ name, ...result } satisfies TestEvent)}\n`;
    }
  }
}
