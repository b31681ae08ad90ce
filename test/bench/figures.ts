/** Figures as the benchmark's JSON holds them, and the arithmetic behind them. */

export type Unit = 'us' | '1/s' | 'MB/s' | 's' | 'ms' | 'MB' | 'percent' | 'count';

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: Unit;
  /** Measured in the same run, in the same unit; null where there is none. */
  readonly baseline: number | null;
  /** Median of value / baseline over the rounds, for rates too; null without a baseline, or with one of 0. */
  readonly ratio: number | null;
}

/** Middle of the values (mean of the two middle ones); NaN for none. */
export function median(values: readonly number[]): number {
  return (quantile(values, 0.5, Math.floor) + quantile(values, 0.5, Math.ceil)) / 2;
}

/** The value below which `share` (0 to 1) of the values lie; NaN for none. */
export function quantile(values: readonly number[], share: number, round: (index: number) => number = Math.ceil): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[round((sorted.length - 1) * share)] ?? Number.NaN;
}

/** A figure from values and baselines of the same rounds, in the rounds' order. */
export function compared(name: string, unit: Unit, values: readonly number[], baselines: readonly number[]): Figure {
  const ratios = values
    .map((value, round) => value / (baselines[round] ?? Number.NaN))
    .filter((ratio) => Number.isFinite(ratio));
  const ratio = ratios.length === values.length ? median(ratios) : null;
  return { name, unit, value: median(values), baseline: median(baselines), ratio };
}

/** A figure that nothing can be compared with. */
export function alone(name: string, unit: Unit, value: number): Figure {
  return { name, unit, value, baseline: null, ratio: null };
}

function short(value: number | null): string {
  if (value === null) return '-';
  return Math.abs(value) >= 1000 ? value.toFixed(0) : value.toPrecision(4);
}

/** The table that people read. */
export function table(figures: readonly Figure[]): string {
  const rows = [['figure', 'value', 'unit', 'baseline', 'ratio'], ...figures.map(({ name, value, unit, baseline, ratio }) =>
    [name, short(value), unit, short(baseline), ratio === null ? '-' : ratio.toFixed(3)])];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const padded = (cell: string, column: number): string => {
    const width = widths[column] ?? 0;
    return column === 0 || column === 2 ? cell.padEnd(width) : cell.padStart(width);
  };
  return rows.map((row) => row.map(padded).join('  ')).join('\n');
}
