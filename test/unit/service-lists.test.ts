import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BATCH_LIMITS, Batches } from '../../helper/service/batches.ts';
import { pageOf } from '../../helper/service/paging.ts';
import { applicationName, clipped, forDialog, protocolName } from '../../helper/service/text.ts';
import { flowRecord } from '../contract/memory-engine.ts';

interface Row {
  readonly n: number;
  readonly lost?: number;
}

const letters = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'];
const self = (row: string): string => row;

/** Every row that a reader gets who turns pages of three, while `change` happens after the first page. */
function turn(rows: string[], change: (rows: string[]) => void): string[] {
  const seen: string[] = [];
  let page = pageOf(rows, self, 3, '');
  seen.push(...page.rows);
  change(rows);
  while (page.next !== '') {
    page = pageOf(rows, self, 3, page.next);
    seen.push(...page.rows);
  }
  return seen;
}

test('pageOf: tells every row once', () => {
  assert.deepEqual(turn([...letters], () => undefined), letters);
  assert.deepEqual(pageOf([], self, 3, ''), { rows: [], next: '' });
  assert.equal(pageOf(['a', 'b', 'c'], self, 3, '').next, '');
});

test('pageOf: neither ends nor repeats when the last row told has moved or gone', () => {
  assert.deepEqual(turn([...letters], (rows) => rows.unshift('new')), letters);
  assert.deepEqual(turn([...letters], (rows) => rows.splice(2, 1)), letters);
});

test('pageOf: begins at the start for a cursor that was never given', () => {
  for (const cursor of ['x', ':', '-1:a', '1.5:a', '9e99:a', ':a']) assert.deepEqual(pageOf(letters, self, 2, cursor).rows, ['a', 'b']);
});

test('Batches: a receiver whose queue is full loses rows, and is told how many', () => {
  const sent: (readonly Row[])[] = [];
  const batches = new Batches<Row>((_receiver, rows) => sent.push(rows));
  for (let n = 0; n < BATCH_LIMITS.waitingRows + 5; n += 1) batches.add(':1.1', { n });
  for (let times = 0; times < 10; times += 1) batches.flush();
  batches.close();
  assert.equal(sent.flat().length, BATCH_LIMITS.waitingRows);
  assert.ok(sent.every((rows) => rows.length <= BATCH_LIMITS.rowsPerBatch));
  assert.equal(sent[0]?.[0]?.lost, 5);
  assert.equal(sent[1]?.[0]?.lost, undefined);
  assert.equal(batches.lost, 5);
});

test('Batches: one receiver that floods does not take from another', () => {
  const sent = new Map<string, number>();
  const batches = new Batches<Row>((receiver, rows) => sent.set(receiver, (sent.get(receiver) ?? 0) + rows.length));
  for (let n = 0; n < 5000; n += 1) batches.add(':1.1', { n });
  batches.add(':1.2', { n: 1 });
  batches.flush();
  batches.close();
  assert.equal(sent.get(':1.2'), 1);
});

test('forDialog: nothing that deceives or that markup gives a meaning reaches a dialog', () => {
  assert.equal(forDialog('a\u202eb\u200bc\nd'), 'a\u{fffd}b\u{fffd}c\u{fffd}d');
  assert.equal(forDialog('<b>&'), '_b__');
  assert.equal(forDialog('x'.repeat(1000)).length, 200);
});

test('text: names, protocols and lengths as the contract tells them', () => {
  assert.equal(applicationName(null), 'An unknown program');
  assert.equal(applicationName('/usr/bin/curl'), 'curl');
  assert.equal(clipped('x'.repeat(5000)).length, 4096);
  const { tuple } = flowRecord('f1', 0);
  const names = [6, 17, 1, 58, 132].map((protocol) => protocolName({ ...tuple, protocol }));
  assert.deepEqual(names, ['tcp', 'udp', 'icmp', 'icmp', '132']);
});
