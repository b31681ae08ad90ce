/** Applications and suggestions as a helper would tell them. */
import type { ApplicationInfo, Proposal, TotalsInfo } from '../../helper/contract/types.ts';
import { flowOf } from './flow-samples.ts';

export const KNOWN_SHA256 = '1111111122222222333333334444444455555555666666667777777788888888';
export const OTHER_SHA256 = 'aaaaaaaabbbbbbbbccccccccddddddddeeeeeeeeffffffff0000000099999999';
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export function applicationOf(change: Partial<ApplicationInfo> = {}): ApplicationInfo {
  return {
    id: 'a1', name: 'curl', kind: 'program', path: '/usr/bin/curl', interpreter: '', package: 'curl', flatpak: '', snap: '',
    sha256: KNOWN_SHA256, known_sha256: KNOWN_SHA256, state: 'valid', reason: 'package', trusted: false, rules: 0,
    first_seen_ms: 1_790_000_000_000, last_seen_ms: 1_790_000_000_000, allowed: 12, refused: 1, sent_bytes: 24_000,
    received_bytes: 1_480_000, ...change,
  };
}

export function changedApplication(change: Partial<ApplicationInfo> = {}): ApplicationInfo {
  return applicationOf({
    id: 'c1', name: 'backup', path: '/usr/local/bin/backup', package: '', state: 'changed', reason: 'other-hash', sha256: OTHER_SHA256,
    rules: 2, ...change,
  });
}

/** One of every kind that the list shows differently. */
export function sampleApplications(nowMs: number): readonly ApplicationInfo[] {
  const seen = { first_seen_ms: nowMs - 9 * DAY_MS, last_seen_ms: nowMs - 180_000 };
  return [
    applicationOf({ ...seen, rules: 1 }),
    changedApplication({ ...seen, last_seen_ms: nowMs - 2 * HOUR_MS, sent_bytes: 8_100_000_000, received_bytes: 3000 }),
    applicationOf({ ...seen, id: 'a2', name: 'firefox-esr', path: '/usr/lib/firefox-esr/firefox-esr', package: 'firefox-esr', rules: 1, received_bytes: 812_000_000, last_seen_ms: nowMs - 4000 }),
    applicationOf({ ...seen, id: 'a3', name: 'telemetry-agent', path: '/opt/vendor/telemetry-agent', package: '', reason: 'first-seen', last_seen_ms: nowMs - 3 * DAY_MS }),
    applicationOf({ ...seen, id: 'a4', name: 'build.sh', kind: 'script', path: '/home/alice/build.sh', interpreter: '/usr/bin/bash', package: '', reason: 'first-seen', sent_bytes: 0, received_bytes: 0 }),
    applicationOf({ ...seen, id: 'a5', name: 'org.example.Notes', kind: 'flatpak', path: '/var/lib/flatpak/app/org.example.Notes/x/notes', package: '', flatpak: 'org.example.Notes', reason: 'first-seen' }),
    applicationOf({ id: 'a6', name: 'steam', path: '/usr/games/steam', package: '', state: 'missing', reason: '', sha256: '', known_sha256: '', rules: 1, first_seen_ms: 0, last_seen_ms: 0, sent_bytes: 0, received_bytes: 0, allowed: 0, refused: 0 }),
    applicationOf({ ...seen, id: 'a7', name: 'fresh', path: '/usr/bin/fresh', package: '', state: 'unknown', reason: '', sha256: '', known_sha256: '' }),
  ];
}

export function manyApplications(count: number, nowMs: number): readonly ApplicationInfo[] {
  return Array.from({ length: count }, (_none, at) => applicationOf({
    id: `m${String(at)}`, name: `program-${String(at)}`, path: `/usr/bin/program-${String(at)}`, package: `package-${String(at % 700)}`,
    last_seen_ms: nowMs - at * 1000, rules: at % 5, received_bytes: (at * 7919) % 1_000_000,
    ...(at % 1000 === 999 ? { state: 'changed', reason: 'other-hash', sha256: OTHER_SHA256 } : {}),
  }));
}

/** Bytes by the hour of the last day. */
export function sampleSeries(nowMs: number): readonly TotalsInfo[] {
  const thisHour = Math.floor(nowMs / HOUR_MS);
  return Array.from({ length: 20 }, (_none, at) => ({
    application: '', path: '', uid: 0, user: '', sent_bytes: 20_000 * ((at * 7) % 11), sent_packets: 10, received_bytes: 90_000 * ((at * 5) % 13),
    received_packets: 10, time_ms: (thisHour - at) * HOUR_MS,
  }));
}

export function sampleFlowsOf(path: string, nowMs: number): readonly ReturnType<typeof flowOf>[] {
  const flows: readonly Parameters<typeof flowOf>[0][] = [
    { host: 'backup.example.org', ended_ms: nowMs - 1000, sent_bytes: 81_000_000, received_bytes: 148_000, port: 22 },
    { host: 'example.org', ended_ms: nowMs - 1000, sent_bytes: 2400, received_bytes: 1_480_000 },
    { host: 'xn--mnchen-3ya.de' },
    { host: 'metrics.example.com', action: 'deny', reason: 'default-action', rule_id: '' },
  ];
  return flows.map((change, at) => flowOf({ id: `f${(900 - at).toString(36)}`, time_ms: nowMs - at * 300_000, pid: 4000 + at, path, ...change }));
}

export function proposalOf(change: Partial<Proposal> = {}): Proposal {
  return {
    kind: 'rule', text: 'curl: port 443, example.org; 12 connections',
    rule: { action: 'allow', name: 'curl: port 443, example.org', group: 'Learned', path: '/usr/bin/curl', domain: 'example.org', port: '443', protocol: 'tcp' },
    applications: ['curl'], destinations: ['example.org'], users: ['alice'], connections: 12, first_ms: 1_800_000_000_000,
    last_ms: 1_800_000_000_000, coverage: 10, examples: ['f1'], confidence: 'certain', ...change,
  };
}

/** Suggestions, one with a warning, and what nothing is suggested for. */
export function sampleProposals(nowMs: number): readonly Proposal[] {
  const times = { first_ms: nowMs - 3 * DAY_MS, last_ms: nowMs - 120_000 };
  const learned = { action: 'allow', group: 'Learned' } as const;
  return [
    proposalOf({
      ...times, applications: ['firefox-esr'], destinations: ['a.example.org', 'b.example.net', 'c.example.com', 'd.example.org', 'e.example.org'], connections: 412,
      rule: { ...learned, name: 'firefox-esr: ports 80 and 443, any address', package: 'firefox-esr', port: '80,443', protocol: 'tcp' },
    }),
    proposalOf({ ...times }),
    proposalOf({
      ...times, applications: ['updater'], destinations: ['updates.example.com'], connections: 3,
      rule: { ...learned, name: 'updater: port 8443, updates.example.com', path: '/tmp/updater', domain: 'updates.example.com', port: '8443', protocol: 'tcp' },
    }),
    {
      ...times, kind: 'left-out', text: 'Nothing is proposed for 12 connections: 10 because it is not certain which program it was.',
      applications: ['nc', 'python3'], destinations: [], users: [], connections: 12, coverage: 2, examples: [], confidence: 'unknown',
      reasons: ['uncertain', 'changed', 'of-a-later-version'], reason_connections: [10, 1, 1],
    },
  ];
}
