/** The text forms of rules in one place: what rule files, D-Bus and people write, and how it is written back. */
export { parseAddress } from './address.ts';
export { parseDomain } from './domains.ts';
export { parseProgram } from './program.ts';
export type { Parsed } from './parsed.ts';
export { formatPorts, formatProtocols, parsePorts, parseProtocols, protocolName } from './ports.ts';
export { formatSchedule, parseSchedule } from './schedule.ts';
export { conflictIn, formatAncestor, PART_READERS, PART_WORDS, parseAncestor, parseProfile, PROGRAM_PARTS } from './match-text.ts';
export type { ProgramPart, TextPart } from './match-text.ts';
