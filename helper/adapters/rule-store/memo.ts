/** Text forms that many rules share are understood once, and the rules share what they say. */
import type { TextResult } from './field-reader.ts';
import type { RuleTextParsers } from './rule-block.ts';

/** Different texts of one kind that are kept; the values are small. */
const KEPT = 4096;

function kept<T>(parse: (text: string) => TextResult<T>): (text: string) => TextResult<T> {
  const known = new Map<string, TextResult<T>>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found;
    const result = parse(text);
    if (known.size >= KEPT) known.clear();
    known.set(text, result);
    return result;
  };
}

/** For the reading of one file. Parts that differ from rule to rule, such as addresses, are parsed each time. */
export function rememberingParsers(parsers: RuleTextParsers): RuleTextParsers {
  return {
    ...parsers,
    ports: kept(parsers.ports),
    protocols: kept(parsers.protocols),
    schedule: kept(parsers.schedule),
    parts: { ...parsers.parts, path: kept(parsers.parts.path), package: kept(parsers.parts.package) },
  };
}
