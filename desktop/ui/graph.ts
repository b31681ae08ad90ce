/**
 * Bytes in and out over time, drawn with cairo. The series are told apart by place: in above the time axis, out below. Time
 * runs with the text's direction. Nothing moves between two redraws, of which there is at most one a second, and none unseen.
 */
import { Adw, Gtk, PangoCairo } from '../gtk.ts';
import type { CairoContext, DrawingArea, PangoLayout, Rgba, Widget } from '../gtk.ts';
import { _ } from '../i18n.ts';
import { graphSentence, plotOf } from '../model/graph-model.ts';
import type { GraphMark, GraphOptions, GraphPlot, GraphSample, GraphStep } from '../model/graph-model.ts';
import { loadUi } from './load-ui.ts';

export type { GraphOptions, GraphSample } from '../model/graph-model.ts';

const REDRAW_MS = 1000;
/** Lines of text that the drawing is high, and the least in pixels. */
const HEIGHT_LINES = 10;
const LEAST_HEIGHT = 180;
const GAP = 6;
/** A line of one pixel is sharp on half pixels. */
const SHARP = 0.5;

interface Colours {
  readonly text: Rgba;
  readonly accent: Rgba;
  readonly contrast: boolean;
}

/** Where the series are, in pixels. */
interface Place {
  readonly left: number;
  readonly width: number;
  readonly top: number;
  /** The time axis. */
  readonly axis: number;
  readonly bottom: number;
  readonly rightToLeft: boolean;
}

interface Text {
  readonly layout: PangoLayout;
  readonly width: number;
  readonly height: number;
}

export class Graph {
  readonly #ui = loadUi('graph');
  readonly #area = this.#ui.get('area', Gtk.DrawingArea);
  readonly #sentence = this.#ui.get('sentence', Gtk.Label);
  #samples: readonly GraphSample[] = [];
  #options: GraphOptions | null = null;
  #appliedAtMs = Number.NEGATIVE_INFINITY;
  #later: NodeJS.Timeout | null = null;
  #failed = false;

  constructor() {
    this.#area.setDrawFunc((_area, context, width, height) => { this.#draw(context, width, height); });
    this.#area.on('map', () => { this.#apply(); });
    this.#area.on('unmap', () => { this.#stop(); });
  }

  get widget(): Widget {
    return this.#ui.get('graph', Gtk.Box);
  }

  /** Shows these samples; samples that are missing within the range are gaps. */
  set(samples: readonly GraphSample[], options: GraphOptions): void {
    this.#samples = samples;
    this.#options = options;
    if (!this.#area.getMapped() || this.#later !== null) return;
    const waitMs = this.#appliedAtMs + REDRAW_MS - performance.now();
    // A caller that counts seconds is sometimes a few milliseconds early.
    if (waitMs < REDRAW_MS / 5) this.#apply();
    else this.#later = setTimeout(() => { this.#apply(); }, waitMs);
  }

  #apply(): void {
    this.#stop();
    if (this.#options === null) return;
    this.#appliedAtMs = performance.now();
    this.#sentence.setLabel(graphSentence(this.#samples, this.#options));
    this.#area.setContentHeight(Math.max(LEAST_HEIGHT, HEIGHT_LINES * textOf(this.#area, '0').height));
    this.#area.queueDraw();
  }

  #stop(): void {
    if (this.#later !== null) clearTimeout(this.#later);
    this.#later = null;
  }

  /** A throw in here would end the process. */
  #draw(context: CairoContext, width: number, height: number): void {
    if (this.#options === null || this.#failed) return;
    try {
      drawGraph(this.#area, context, { samples: this.#samples, options: this.#options, width, height });
    } catch (error: unknown) {
      this.#failed = true;
      process.stderr.write(`bastion-firewall-desktop: the graph cannot be drawn: ${String(error)}\n`);
    }
  }
}

function textOf(area: DrawingArea, words: string): Text {
  const layout = area.createPangoLayout(words);
  const [width, height] = layout.getPixelSize();
  return { layout, width, height };
}

function coloursOf(area: DrawingArea): Colours {
  const style = area.getStyleContext();
  const text = style.getColor();
  const [found, accent] = style.lookupColor('accent_color');
  return { text, accent: found ? accent : text, contrast: Adw.StyleManager.getDefault().getHighContrast() };
}

function setColour(context: CairoContext, { red, green, blue }: Rgba, alpha: number): void {
  context.setSourceRgba(red, green, blue, alpha);
}

function xOf({ left, width, rightToLeft }: Place, at: number): number {
  return rightToLeft ? left + (1 - at) * width : left + at * width;
}

function drawGraph(
  area: DrawingArea, context: CairoContext,
  given: { readonly samples: readonly GraphSample[]; readonly options: GraphOptions; readonly width: number; readonly height: number },
): void {
  const { samples, options, width, height } = given;
  const line = textOf(area, '0').height;
  const rightToLeft = area.getDirection() === Gtk.TextDirection.RTL;
  const markWidth = textOf(area, options.axis === 'ago' ? '00 min' : '00:00 00').width;
  // The marks' texts are known after the scale, and the scale does not depend on the width but for time marks.
  const room = { width: Math.max(1, width), height: height - line - GAP, lineHeight: line, markWidth };
  const plot = plotOf(samples, options, room);
  const marks = [...plot.inMarks, ...plot.outMarks].map((mark) => textOf(area, mark.text).width);
  const gutter = Math.max(0, ...marks) + GAP;
  const top = line / 2;
  const bottom = height - line * 1.5 - GAP;
  const place: Place = {
    left: rightToLeft ? gutter : 0, width: Math.max(1, width - gutter), top, bottom,
    axis: Math.round(top + (bottom - top) * plot.above), rightToLeft,
  };
  const colours = coloursOf(area);
  drawGrid(area, context, plot, place, colours);
  for (const run of plot.runs) drawRun(context, run, place, colours);
  drawNames(area, context, place, colours);
}

function horizontal(context: CairoContext, place: Place, y: number): void {
  context.moveTo(place.left, Math.round(y) + SHARP);
  context.lineTo(place.left + place.width, Math.round(y) + SHARP);
  context.stroke();
}

/** Text at the scale's side, which is where the newest stands. */
function scaleText(area: DrawingArea, context: CairoContext, words: string, y: number, place: Place): void {
  const text = textOf(area, words);
  context.moveTo(place.rightToLeft ? place.left - GAP - text.width : place.left + place.width + GAP, y - text.height / 2);
  PangoCairo.showLayout(context, text.layout);
}

function drawGrid(area: DrawingArea, context: CairoContext, plot: GraphPlot, place: Place, colours: Colours): void {
  const faint = colours.contrast ? 0.5 : 0.15;
  const strong = colours.contrast ? 1 : 0.7;
  context.setLineWidth(1);
  const marks = (list: readonly GraphMark[], extent: number): void => {
    for (const mark of list) {
      const y = place.axis + mark.at * extent;
      setColour(context, colours.text, faint);
      horizontal(context, place, y);
      setColour(context, colours.text, strong);
      scaleText(area, context, mark.text, y, place);
    }
  };
  marks(plot.inMarks, place.top - place.axis);
  marks(plot.outMarks, place.bottom - place.axis);
  setColour(context, colours.text, colours.contrast ? 1 : 0.4);
  horizontal(context, place, place.axis);
  setColour(context, colours.text, strong);
  drawTimes(area, context, plot.timeMarks, place);
}

function drawTimes(area: DrawingArea, context: CairoContext, marks: readonly GraphMark[], place: Place): void {
  // The newest is drawn for certain; an older one that would touch its neighbour is left out.
  let taken: { readonly start: number; readonly end: number } | null = null;
  for (const mark of [...marks].reverse()) {
    const text = textOf(area, mark.text);
    const centred = xOf(place, mark.at) - text.width / 2;
    const start = Math.min(Math.max(place.left, centred), place.left + place.width - text.width);
    const end = start + text.width;
    if (taken !== null && start < taken.end + GAP && end > taken.start - GAP) continue;
    taken = { start, end };
    context.moveTo(start, place.bottom + text.height / 2 + GAP);
    PangoCairo.showLayout(context, text.layout);
  }
}

/** The outline of one side, from the first step to the last. */
function outline(context: CairoContext, run: readonly GraphStep[], place: Place, heightOf: (step: GraphStep) => number): void {
  for (const step of run) {
    const y = heightOf(step);
    context.lineTo(xOf(place, step.from), y);
    context.lineTo(xOf(place, step.to), y);
  }
}

function drawRun(context: CairoContext, run: readonly GraphStep[], place: Place, colours: Colours): void {
  const first = run[0];
  const last = run.at(-1);
  if (first === undefined || last === undefined) return;
  const sides = [
    { colour: colours.accent, fill: 0.35, edge: 1, height: (step: GraphStep) => place.axis - step.inHeight * (place.axis - place.top) },
    { colour: colours.text, fill: 0.15, edge: 0.6, height: (step: GraphStep) => place.axis + step.outHeight * (place.bottom - place.axis) },
  ];
  for (const { colour, fill, edge, height } of sides) {
    context.moveTo(xOf(place, first.from), place.axis);
    outline(context, run, place, height);
    context.lineTo(xOf(place, last.to), place.axis);
    context.closePath();
    setColour(context, colour, colours.contrast ? fill * 1.5 : fill);
    context.fill();
    context.newPath();
    outline(context, run, place, height);
    setColour(context, colour, colours.contrast ? 1 : edge);
    context.setLineWidth(colours.contrast ? 2 : 1.5);
    context.stroke();
  }
}

/** Which side is which, at the beginning of the time axis. */
function drawNames(area: DrawingArea, context: CairoContext, place: Place, colours: Colours): void {
  setColour(context, colours.text, 1);
  for (const [words, below] of [[_('In'), false], [_('Out'), true]] as const) {
    const text = textOf(area, words);
    const x = place.rightToLeft ? place.left + place.width - text.width - GAP : place.left + GAP;
    context.moveTo(x, below ? place.bottom - text.height - 2 : place.top + 2);
    PangoCairo.showLayout(context, text.layout);
  }
}
