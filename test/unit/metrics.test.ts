/** The file for the Prometheus node exporter: the format holds whatever programs are called, and the file is replaced whole. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from '../property.ts';
import { COUNTED_LIMIT, SHOWN_LIMIT, createMetrics, labelText } from '../../helper/adapters/metrics.ts';
import type { MetricsSources } from '../../helper/adapters/metrics.ts';
import { createLogger } from '../../helper/adapters/logger.ts';
import { STATUS } from './ctl-support.ts';
import { flow, flows } from './history-support.ts';

/** One sample line of the format. Source: prometheus.io/docs/instrumenting/exposition_formats */
const SAMPLE = /^[a-z_]+(?:\{(?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)*\})? -?[0-9.e+]+$/u;

const sources: MetricsSources = {
  status: { mode: 'enforcing', state: 'protecting', degradedReasons: [], pausedUntilMs: 0, statistics: STATUS.statistics },
  totals: [
    { path: '/usr/bin/curl', uid: 1000, sentBytes: 10, sentPackets: 1, receivedBytes: 20, receivedPackets: 1 },
    { path: '/usr/bin/curl', uid: 1001, sentBytes: 5, sentPackets: 1, receivedBytes: 0, receivedPackets: 0 },
  ],
  history: { lost: 3, waiting: 0, failure: null },
};

function logged(lines: string[]): ReturnType<typeof createLogger> {
  return createLogger({ write: (line) => { lines.push(line); } });
}

test('metrics: what was decided, by program, and what was moved', () => {
  const metrics = createMetrics(logged([]));
  metrics.count([flow(1), flow(2), flow(3, { decision: { action: 'drop', reason: 'default-action', ruleId: null } })]);
  const text = metrics.text(sources);
  for (const line of [
    'bastion_flows_total{action="allow"} 2', 'bastion_flows_total{action="drop"} 1', 'bastion_state{state="protecting"} 1', 'bastion_state{state="off"} 0',
    'bastion_application_flows_total{application="/usr/bin/curl",action="allow"} 2', 'bastion_history_lost_total 3',
    'bastion_application_sent_bytes_total{application="/usr/bin/curl"} 15',
  ]) assert.ok(text.includes(`${line}\n`), line);
});

test('metrics: a hostile name is a label and nothing else', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (path) => {
    const metrics = createMetrics(logged([]));
    metrics.count([flow(1, { path })]);
    for (const line of metrics.text(sources).trimEnd().split('\n')) assert.ok(line.startsWith('# ') || SAMPLE.test(line), line);
    assert.ok(labelText(path).length <= 2 * 257);
  }));
  assert.equal(labelText('a"b\\c\nd\u{202e}e'), 'a\\"b\\\\c\\nd\u{fffd}e');
});

test('metrics: programs over the limit count in the sums, and the file tells of those with the most', () => {
  const metrics = createMetrics(logged([]));
  metrics.count(flows(0, COUNTED_LIMIT + 10, (number) => ({ path: `/tmp/p${String(number)}` })));
  metrics.count([flow(1, { path: '/tmp/p7' }), flow(1, { path: `/tmp/p${String(COUNTED_LIMIT + 1)}` })]);
  const lines = metrics.text(sources).split('\n');
  assert.ok(lines.includes(`bastion_flows_total{action="allow"} ${String(COUNTED_LIMIT + 12)}`));
  const shown = lines.filter((line) => line.startsWith('bastion_application_flows_total{'));
  assert.equal(shown.length, SHOWN_LIMIT);
  assert.equal(shown[0], 'bastion_application_flows_total{application="/tmp/p7",action="allow"} 2');
});

test('metrics: the file is replaced whole and readable for the exporter; where that fails it is told once', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bastion-metrics-'));
  try {
    const lines: string[] = [];
    const metrics = createMetrics(logged(lines));
    const path = join(folder, 'bastion.prom');
    await metrics.write(path, sources);
    await metrics.write(path, sources);
    assert.match(readFileSync(path, 'utf8'), /^# HELP bastion_state /u);
    assert.equal(statSync(path).mode & 0o777, 0o644);
    assert.deepEqual(readdirSync(folder), ['bastion.prom']);
    for (let time = 0; time < 3; time += 1) await metrics.write(join(folder, 'not', 'there.prom'), sources);
    assert.equal(lines.length, 1);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
