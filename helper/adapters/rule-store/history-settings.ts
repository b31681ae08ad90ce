/** `[history]` of bastion.toml. */
import type { HistorySettings } from '../../ports.ts';
import type { FieldReader } from './field-reader.ts';
import { shown } from './text.ts';

/** What holds where bastion.toml says nothing of it. */
export const DEFAULT_HISTORY: HistorySettings = { enabled: true, names: true, keepDays: 30, maxMegabytes: 256, prometheusFile: null };

export const HISTORY_KEYS = ['enabled', 'names', 'keep_days', 'max_mb', 'prometheus_file'] as const;

const DAYS = { least: 1, most: 3650 } as const;
const MEGABYTES = { least: 8, most: 65_536 } as const;
/** Source: linux/limits.h, PATH_MAX. */
const PATH_LENGTH = 4095;
/** The exporter reads files with this ending only. */
const METRICS_ENDING = '.prom';

function prometheusFile(reader: FieldReader): string | null {
  const path = reader.text('prometheus_file', PATH_LENGTH, true);
  if (path === null || path === '') return null;
  if (path.startsWith('/') && path.endsWith(METRICS_ENDING) && !/\p{C}/u.test(path) && !path.split('/').includes('..')) return path;
  return reader.complainAbout('prometheus_file', `${shown(path)} is no "prometheus_file": it must be the absolute path of a file that ends in ${METRICS_ENDING}.`);
}

/** Reads the table; what is wrong is told by `reader`. */
export function readHistory(reader: FieldReader): HistorySettings {
  reader.keys(HISTORY_KEYS, [], 'history.');
  return {
    enabled: reader.flag('enabled') ?? DEFAULT_HISTORY.enabled,
    names: reader.flag('names') ?? DEFAULT_HISTORY.names,
    keepDays: reader.number('keep_days', DAYS.least, DAYS.most) ?? DEFAULT_HISTORY.keepDays,
    maxMegabytes: reader.number('max_mb', MEGABYTES.least, MEGABYTES.most) ?? DEFAULT_HISTORY.maxMegabytes,
    prometheusFile: prometheusFile(reader),
  };
}
