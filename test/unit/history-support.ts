/** Flows for tests of the history, and stores in folders of their own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HistoryStore } from '../../helper/adapters/history/store.ts';
import type { StoredFlow } from '../../helper/adapters/history/schema.ts';
import type { HistorySettings } from '../../helper/ports.ts';

export const NOW_MS = 1_800_000_000_000;
export const SETTINGS: HistorySettings = { enabled: true, names: true, keepDays: 30, maxMegabytes: 256, prometheusFile: null };

/** A flow with everything that the history keeps. */
export function flow(number: number, change: Partial<StoredFlow> = {}): StoredFlow {
  return {
    id: `f${number.toString(36)}`,
    timeMs: NOW_MS,
    tuple: {
      family: 4, protocol: 6, sourceAddress: '192.0.2.2', sourcePort: 40_000 + (number % 10_000), destinationAddress: '198.51.100.7',
      destinationPort: 443,
    },
    path: '/usr/bin/curl', uid: 1000, pid: 100 + number, forwardedFrom: null, host: 'example.org',
    names: [{ name: 'example.org', source: 'program' }, { name: 'hosts.example', source: 'hosts' }],
    interfaceName: 'eth0', lengthBytes: 60, decision: { action: 'allow', reason: 'rule', ruleId: 'web' }, confidence: 'certain',
    evidence: 'kernel', nextRuleId: 'all', identity: { path: '/usr/bin/curl', package: 'curl', integrity: 'valid', trusted: true },
    claimedPath: null,
    ancestors: [
      { pid: 0, path: '/usr/bin/bash', command: 'build.sh', identity: { path: '/usr/bin/bash', interpreter: true, script: '/home/a/build.sh', scriptEvidence: 'exec' } },
      { pid: 0, path: null, command: 'Terminal' },
      { pid: 1, path: '/usr/lib/systemd/systemd', command: 'systemd' },
    ],
    lineage: 'kernel', command: 'curl', isLookup: false, answersPeer: false, origin: 'process', ...change,
  };
}

/** `count` flows with numbers from `first` on. */
export function flows(first: number, count: number, change: (number: number) => Partial<StoredFlow> = () => ({})): readonly StoredFlow[] {
  return Array.from({ length: count }, (_, at) => flow(first + at, change(first + at)));
}

/** Another destination for each number. */
export function elsewhere(number: number): Partial<StoredFlow> {
  const address = `10.${String((number >> 16) & 255)}.${String((number >> 8) & 255)}.${String(number & 255)}`;
  return { names: [], host: null, tuple: { ...flow(number).tuple, destinationAddress: address } };
}

/** A folder, a clock that is set by hand, and the stores that are opened on them one after another. */
export class StoreRig {
  readonly folder = mkdtempSync(join(tmpdir(), 'bastion-history-'));
  readonly notes: string[] = [];
  readonly states: (string | null)[] = [];
  nowMs = NOW_MS;

  open(settings: Partial<HistorySettings> = {}): { readonly store: HistoryStore; readonly next: number } {
    const store = new HistoryStore({
      folder: this.folder,
      settings: { ...SETTINGS, ...settings },
      now: () => this.nowMs,
      onState: (failure) => { this.states.push(failure); },
      onNote: (message) => { this.notes.push(message); },
    });
    return { store, next: store.start() };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
