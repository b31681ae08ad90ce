/**
 * What the graph shows, without the toolkit: scale, marks, the shape of both series and the sentence that says the same.
 * In runs above the time axis, out below it, both at one scale.
 */
import { _, fill } from '../i18n.ts';
import { lengthText, rateText, shortDateText, sizeText, timeText } from './format.ts';

/** Bytes of one stretch of time. */
export interface GraphSample {
  /** Its begin, wall time, ms since 1970. */
  readonly timeMs: number;
  /** Its length. */
  readonly spanMs: number;
  readonly inBytes: number;
  readonly outBytes: number;
}

export interface GraphOptions {
  /** What the time axis covers, wall time, ms since 1970. */
  readonly startMs: number;
  readonly endMs: number;
  /** `speed`: bytes each second. `amount`: bytes of each stretch, which then are all equally long. */
  readonly unit: 'speed' | 'amount';
  /** `ago`: "3 min ago", to `endMs`. `clock`: times of the day, or days where the range is long. */
  readonly axis: 'ago' | 'clock';
}

/** A stretch of equal height; `from` and `to` in 0 to 1 of the axis, heights in 0 to 1 of the scale. */
export interface GraphStep {
  readonly from: number;
  readonly to: number;
  readonly inHeight: number;
  readonly outHeight: number;
}

export interface GraphMark {
  /** 0 to 1 of the axis or of the scale. */
  readonly at: number;
  readonly text: string;
}

export interface GraphPlot {
  /** Without gaps inside each. */
  readonly runs: readonly (readonly GraphStep[])[];
  /** Share of the height that is above the time axis. */
  readonly above: number;
  /** Heights above and below at which a line and its text stand; the axis itself has none. */
  readonly inMarks: readonly GraphMark[];
  readonly outMarks: readonly GraphMark[];
  readonly timeMarks: readonly GraphMark[];
}

/** More stretches than this are not drawn: the widest screens have fewer columns. */
const STEPS_LIMIT = 4096;
/** So that a quiet computer's few packets do not fill the graph. */
const LEAST_SPEED = 1000;
/** More lines across are no help to a reader. */
const MOST_LINES = 4;
/** Share of the height that the smaller side keeps. */
const LEAST_SHARE = 0.25;
const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** Distances of time marks that people count in. */
const TIME_STEPS_MS = [
  10 * SECOND_MS, 30 * SECOND_MS, MINUTE_MS, 2 * MINUTE_MS, 5 * MINUTE_MS, 10 * MINUTE_MS, 15 * MINUTE_MS, 30 * MINUTE_MS,
  HOUR_MS, 2 * HOUR_MS, 3 * HOUR_MS, 6 * HOUR_MS, 12 * HOUR_MS, DAY_MS, 2 * DAY_MS, 7 * DAY_MS, 14 * DAY_MS,
];

interface Height {
  readonly inValue: number;
  readonly outValue: number;
}

function heightOf({ spanMs, inBytes, outBytes }: GraphSample, unit: GraphOptions['unit']): Height {
  const factor = unit === 'speed' ? SECOND_MS / Math.max(1, spanMs) : 1;
  const value = (bytes: number): number => (Number.isFinite(bytes) ? Math.max(0, bytes) * factor : 0);
  return { inValue: value(inBytes), outValue: value(outBytes) };
}

/** The smallest of 1, 2 and 5 times a power of ten that is not below `value`. */
export function niceStep(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= value * 0.999_999) ?? 10 * power;
}

/** Samples in order of time, within the range, without overlap. */
function usable(samples: readonly GraphSample[], { startMs, endMs }: GraphOptions): readonly GraphSample[] {
  const sorted = samples
    .filter(({ timeMs, spanMs }) => spanMs > 0 && timeMs + spanMs > startMs && timeMs < endMs)
    .sort((a, b) => a.timeMs - b.timeMs);
  return sorted.filter((sample, index) => index === 0 || sample.timeMs >= (sorted[index - 1]?.timeMs ?? 0));
}

interface Piece extends Height {
  readonly from: number;
  readonly to: number;
}

function piecesOf(samples: readonly GraphSample[], options: GraphOptions): readonly Piece[] {
  const range = Math.max(1, options.endMs - options.startMs);
  const place = (ms: number): number => Math.min(1, Math.max(0, (ms - options.startMs) / range));
  const pieces: Piece[] = [];
  for (const sample of samples) {
    const from = Math.max(place(sample.timeMs), pieces.at(-1)?.to ?? 0);
    const to = place(sample.timeMs + sample.spanMs);
    if (to > from) pieces.push({ from, to, ...heightOf(sample, options.unit) });
  }
  return pieces;
}

/** One piece for each column, with the highest that lies in it: a short peak stays visible. */
function merged(pieces: readonly Piece[], columns: number): readonly Piece[] {
  if (pieces.length <= columns) return pieces;
  const byColumn = new Map<number, Piece>();
  for (const piece of pieces) {
    const column = Math.floor(piece.from * columns);
    const known = byColumn.get(column);
    byColumn.set(column, known === undefined ? piece : {
      from: known.from, to: piece.to, inValue: Math.max(known.inValue, piece.inValue), outValue: Math.max(known.outValue, piece.outValue),
    });
  }
  return [...byColumn.values()];
}

/** Pieces that touch. A distance below half a pixel of a wide screen is none. */
function runsOf(pieces: readonly Piece[], scale: (value: number) => number): readonly (readonly GraphStep[])[] {
  const runs: GraphStep[][] = [];
  let end = Number.NEGATIVE_INFINITY;
  for (const { from, to, inValue, outValue } of pieces) {
    const step = { from, to, inHeight: scale(inValue), outHeight: scale(outValue) };
    const run = runs.at(-1);
    if (run !== undefined && from - end < 1 / STEPS_LIMIT) run.push(step);
    else runs.push([step]);
    end = to;
  }
  return runs;
}

function valueText(value: number, unit: GraphOptions['unit']): string {
  return unit === 'speed' ? rateText(value) : sizeText(value);
}

interface Scale {
  readonly step: number;
  /** Whole steps above and below. */
  readonly inSteps: number;
  readonly outSteps: number;
}

/** `lines`: how many marks there is room for in all. */
function scaleOf(pieces: readonly Piece[], lines: number): Scale {
  const top = Math.max(LEAST_SPEED, ...pieces.map((piece) => piece.inValue));
  const bottom = Math.max(0, ...pieces.map((piece) => piece.outValue));
  const step = niceStep((top + bottom) / Math.max(2, lines));
  return { step, inSteps: Math.ceil(top / step - 1e-9), outSteps: Math.max(1, Math.ceil(bottom / step - 1e-9)) };
}

/** A mark for every step, or for every second, third… where they would touch. */
function marksOf(steps: number, step: number, room: number, unit: GraphOptions['unit']): readonly GraphMark[] {
  const every = Math.max(1, Math.ceil(steps / Math.max(1, room)));
  const marks: GraphMark[] = [];
  for (let at = every; at <= steps; at += every) marks.push({ at: at / steps, text: valueText(at * step, unit) });
  return marks;
}

function agoText(ms: number): string {
  if (ms === 0) return _('now');
  if (ms < MINUTE_MS) return lengthText(ms / SECOND_MS, 'second', 'short');
  if (ms < HOUR_MS) return lengthText(ms / MINUTE_MS, 'minute', 'short');
  return ms < DAY_MS ? lengthText(ms / HOUR_MS, 'hour', 'short') : lengthText(ms / DAY_MS, 'day', 'short');
}

function clockMark(ms: number, stepMs: number): string {
  return stepMs < DAY_MS ? timeText(ms) : shortDateText(ms);
}

/** Where a step of this length begins in local time, so that marks stand at whole hours and midnights. */
function firstWhole(startMs: number, stepMs: number): number {
  const offsetMs = new Date(startMs).getTimezoneOffset() * MINUTE_MS;
  return Math.ceil((startMs - offsetMs) / stepMs) * stepMs + offsetMs;
}

/** At most `most` marks. */
function timeMarks({ startMs, endMs, axis }: GraphOptions, most: number): readonly GraphMark[] {
  const range = endMs - startMs;
  if (range <= 0) return [];
  const stepMs = TIME_STEPS_MS.find((step) => range / step <= Math.max(1, most)) ?? range;
  const marks: GraphMark[] = [];
  if (axis === 'ago') {
    for (let ago = 0; ago <= range; ago += stepMs) marks.unshift({ at: 1 - ago / range, text: agoText(ago) });
  } else {
    for (let at = firstWhole(startMs, stepMs); at <= endMs; at += stepMs) {
      marks.push({ at: (at - startMs) / range, text: clockMark(at, stepMs) });
    }
  }
  return marks;
}

/** Room for text: whole pixels of the drawing, and of one line and one time mark. */
export interface GraphRoom {
  readonly width: number;
  readonly height: number;
  readonly lineHeight: number;
  readonly markWidth: number;
}

/** Everything to be drawn. */
export function plotOf(samples: readonly GraphSample[], options: GraphOptions, room: GraphRoom): GraphPlot {
  const columns = Math.min(STEPS_LIMIT, Math.max(1, Math.floor(room.width)));
  const pieces = merged(piecesOf(usable(samples, options), options), columns);
  const lines = Math.min(MOST_LINES, Math.max(2, Math.floor(room.height / (room.lineHeight * 3))));
  const { step, inSteps, outSteps } = scaleOf(pieces, lines);
  const above = Math.min(1 - LEAST_SHARE, Math.max(LEAST_SHARE, inSteps / (inSteps + outSteps)));
  // One scale for both sides: the side with room to spare ends above its last mark.
  const perStep = Math.min(above / inSteps, (1 - above) / outSteps);
  const inLimit = above / perStep * step;
  const outLimit = (1 - above) / perStep * step;
  const runs = runsOf(pieces, (value) => value).map((run) => run.map((one) => ({
    ...one, inHeight: Math.min(1, one.inHeight / inLimit), outHeight: Math.min(1, one.outHeight / outLimit),
  })));
  const linesIn = Math.floor(room.height * above / (room.lineHeight * 1.5));
  const linesOut = Math.floor(room.height * (1 - above) / (room.lineHeight * 1.5));
  const shrink = (marks: readonly GraphMark[], full: number): readonly GraphMark[] => marks.map((mark) => ({ ...mark, at: mark.at * full }));
  return {
    runs, above,
    inMarks: shrink(marksOf(inSteps, step, linesIn, options.unit), inSteps * step / inLimit),
    outMarks: shrink(marksOf(outSteps, step, linesOut, options.unit), outSteps * step / outLimit),
    timeMarks: timeMarks(options, Math.floor(room.width / Math.max(1, room.markWidth * 1.5))),
  };
}

/** `5 minutes`, `24 hours`, `30 days`, in the locale's words. */
export function rangeText(ms: number): string {
  if (ms <= 90 * MINUTE_MS) return lengthText(ms / MINUTE_MS, 'minute', 'long');
  return ms <= 36 * HOUR_MS ? lengthText(ms / HOUR_MS, 'hour', 'long') : lengthText(ms / DAY_MS, 'day', 'long');
}

/** The graph in one sentence: what a screen reader says of it, and what stands below it. */
export function graphSentence(samples: readonly GraphSample[], options: GraphOptions): string {
  const shown = usable(samples, options);
  const range = rangeText(options.endMs - options.startMs);
  const last = shown.at(-1);
  if (last === undefined) return fill(_('No traffic is known for the last {range}.'), { range });
  const heights = shown.map((sample) => heightOf(sample, options.unit));
  const most = (read: (one: Height) => number): string => valueText(Math.max(...heights.map(read)), options.unit);
  if (options.unit === 'speed') {
    const now = heightOf(last, 'speed');
    return fill(_('In {in}, out {out}. At most {mostIn} in and {mostOut} out within {range}.'), {
      in: rateText(now.inValue), out: rateText(now.outValue), mostIn: most((one) => one.inValue), mostOut: most((one) => one.outValue), range,
    });
  }
  const sum = (read: (one: Height) => number): string => sizeText(heights.reduce((total, one) => total + read(one), 0));
  return fill(_('In {in}, out {out} within {range}. At most {mostIn} in and {mostOut} out at a time.'), {
    in: sum((one) => one.inValue), out: sum((one) => one.outValue), mostIn: most((one) => one.inValue), mostOut: most((one) => one.outValue), range,
  });
}
