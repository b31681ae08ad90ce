/** The graph's scale, marks, shape and sentence. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { graphSentence, niceStep, plotOf } from '../../desktop/model/graph-model.ts';
import type { GraphOptions, GraphPlot, GraphRoom, GraphSample } from '../../desktop/model/graph-model.ts';

const END_MS = Date.UTC(2026, 10, 21, 12, 0, 0);
const ROOM: GraphRoom = { width: 600, height: 180, lineHeight: 16, markWidth: 50 };
const LIVE: GraphOptions = { startMs: END_MS - 300_000, endMs: END_MS, unit: 'speed', axis: 'ago' };

function sample(agoS: number, inBytes: number, outBytes = 0, spanMs = 1000): GraphSample {
  return { timeMs: END_MS - agoS * 1000, spanMs, inBytes, outBytes };
}

function heights(plot: GraphPlot): readonly number[] {
  return plot.runs.flat().flatMap((step) => [step.inHeight, step.outHeight]);
}

test('scale: steps are 1, 2 or 5 times a power of ten and never below what is asked', () => {
  for (const [value, step] of [[1, 1], [1.2, 2], [3, 5], [5, 5], [6, 10], [900_001, 1_000_000], [2_000_000, 2_000_000], [0, 1]] as const) {
    assert.equal(niceStep(value), step);
  }
});

test('scale: both sides have the same one, and nothing is cut off', () => {
  const plot = plotOf([sample(10, 4_100_000, 0), sample(5, 0, 900_000)], LIVE, ROOM);
  assert.ok(heights(plot).every((height) => height >= 0 && height <= 1));
  const [first, second] = plot.runs.flat();
  assert.ok(first !== undefined && second !== undefined);
  const perByteIn = first.inHeight * plot.above / 4_100_000;
  const perByteOut = second.outHeight * (1 - plot.above) / 900_000;
  assert.ok(Math.abs(perByteIn / perByteOut - 1) < 1e-9, `${String(perByteIn)} ${String(perByteOut)}`);
});

test('scale: marks are at equal distances, within the drawing, and name their speed', () => {
  const { inMarks, outMarks } = plotOf([sample(10, 4_100_000, 80_000)], LIVE, ROOM);
  assert.ok(inMarks.length >= 2);
  assert.ok([...inMarks, ...outMarks].every(({ at }) => at > 0 && at <= 1));
  assert.ok(inMarks.every(({ text }) => /^\d+(?:\.\d)? [kM]B\/s$/.test(text)), inMarks.map(({ text }) => text).join());
});

test('scale: a quiet computer is not drawn as a busy one', () => {
  const [step] = plotOf([sample(10, 40)], LIVE, ROOM).runs.flat();
  assert.ok(step !== undefined && step.inHeight < 0.1);
});

test('shape: what was not seen is a gap, what touches is one run', () => {
  const { runs } = plotOf([sample(100, 10), sample(99, 20), sample(50, 30), sample(49, 40)], LIVE, ROOM);
  assert.deepEqual(runs.map((run) => run.length), [2, 2]);
});

test('shape: samples outside the range, without length, or broken are not drawn', () => {
  const { runs } = plotOf([sample(400, 9e9), sample(-5, 9e9), sample(10, 5, 0, 0), sample(20, Number.NaN, -7)], LIVE, ROOM);
  assert.deepEqual(runs.flat().map(({ inHeight, outHeight }) => [inHeight, outHeight]), [[0, 0]]);
});

test('shape: samples that overlap do not run backwards', () => {
  const { runs } = plotOf([sample(60, 6_000_000, 0, 60_000), sample(30, 100), sample(29, 100)], LIVE, ROOM);
  const steps = runs.flat();
  for (const [index, step] of steps.entries()) assert.ok(step.to > step.from && step.from >= (steps[index - 1]?.to ?? 0));
});

test('shape: a million samples become one for each column, and the peak is kept', () => {
  const many = Array.from({ length: 100_000 }, (_, index) => ({ timeMs: END_MS - 300_000 + index * 3, spanMs: 3, inBytes: index === 500 ? 3_000_000 : 3, outBytes: 0 }));
  const plot = plotOf(many, LIVE, ROOM);
  const steps = plot.runs.flat();
  assert.ok(steps.length <= ROOM.width);
  assert.ok(Math.max(...steps.map(({ inHeight }) => inHeight)) > 0.5);
});

test('time: marks run to now, or stand at whole hours', () => {
  const live = plotOf([], LIVE, ROOM).timeMarks;
  assert.equal(live.at(-1)?.text, 'now');
  assert.equal(live.at(-1)?.at, 1);
  const day = plotOf([], { startMs: END_MS - 86_400_000, endMs: END_MS, unit: 'amount', axis: 'clock' }, ROOM).timeMarks;
  assert.ok(day.length >= 3 && day.length <= 9);
  assert.ok(day.every(({ text, at }) => text.includes('00') && at >= 0 && at <= 1), day.map(({ text }) => text).join());
});

test('room: a tiny drawing has its shape and few marks, an empty range none', () => {
  const tiny = plotOf([sample(10, 4_100_000, 80_000)], LIVE, { width: 1, height: 1, lineHeight: 40, markWidth: 200 });
  assert.ok(tiny.runs.length === 1 && tiny.timeMarks.length <= 2);
  assert.deepEqual(plotOf([sample(10, 5)], { ...LIVE, startMs: END_MS }, ROOM).timeMarks, []);
});

test('sentence: says what is now and what was most, or that nothing is known', () => {
  assert.equal(graphSentence([sample(100, 4_000_000, 1_000), sample(1, 1_200_000, 80_000)], LIVE),
    'In 1.2 MB/s, out 80 kB/s. At most 4 MB/s in and 80 kB/s out within 5 minutes.');
  assert.equal(graphSentence([], LIVE), 'No traffic is known for the last 5 minutes.');
  const hour: GraphOptions = { startMs: END_MS - 86_400_000, endMs: END_MS, unit: 'amount', axis: 'clock' };
  assert.equal(graphSentence([sample(7200, 5_000_000, 0, 3_600_000), sample(3600, 1_000_000, 2000, 3_600_000)], hour),
    'In 6 MB, out 2 kB within 24 hours. At most 5 MB in and 2 kB out at a time.');
});
