/** Flows as a helper would record them, and what it would say of them. */
import { flowDestination, flowProgram } from '../../desktop/model/flow-match.ts';
import type { Explanation, FlowInfo, GroupBy, TotalsInfo } from '../../helper/contract/types.ts';

const BASE = 36;
const OWN_UID = process.getuid?.() ?? 0;

export function flowOf(change: Partial<FlowInfo> = {}): FlowInfo {
  return {
    id: 'f1', time_ms: 1_800_000_000_000, application: 'curl', path: '/usr/bin/curl', uid: OWN_UID, pid: 4711, source_address: '192.0.2.2',
    source_port: 40_000, address: '203.0.113.7', port: 443, protocol: 'tcp', host: 'example.org', names: ['example.org'],
    name_sources: ['program'], interface: 'eth0', length: 60, action: 'allow', reason: 'rule', rule_id: 'curl-example',
    confidence: 'certain', evidence: 'kernel', direction: 'out', ...change,
  };
}

/** What the helper says of an ordinary flow: of a package's program, started from a terminal. */
export function explanationOf(flow: FlowInfo): Explanation {
  return {
    flow: flow.id, text: 'Allowed by the rule.', action: flow.action, reason: flow.reason, rule_id: flow.rule_id, next_rule_id: '', flow_info: flow,
    user: 'alice', command: 'curl', package: 'curl', integrity: 'valid', sha256: 'ab'.repeat(32), named_by: 'path',
    ...(flow.host === '' ? {} : { by_name: flow.host }), lineage_evidence: 'kernel',
    ancestors: [
      { pid: 0, path: '/usr/bin/bash', command: 'build.sh', script: '/home/alice/build.sh' }, { pid: 0, path: '/usr/bin/xterm', command: 'xterm' },
    ],
  };
}

/** One flow of every kind that the list shows differently, the newest first. */
export function sampleFlows(nowMs: number): readonly FlowInfo[] {
  const flows: readonly Partial<FlowInfo>[] = [
    { host: 'example.org', ended_ms: nowMs - 1000, sent_bytes: 2400, received_bytes: 148_000 },
    { path: '/usr/bin/git', host: 'code.example.net', action: 'deny', reason: 'default-action', rule_id: '' },
    { path: '/opt/vendor/telemetry-agent', host: 'metrics.example.com', action: 'drop', rule_id: 'telemetry' },
    { path: '/usr/bin/ping', host: '', names: [], name_sources: [], address: '192.0.2.1', protocol: 'icmp', port: 8 },
    { path: '/usr/bin/python3.11', script: '/home/alice/backup.py', host: 'backup.example.org', port: 22, ended_ms: nowMs - 500, sent_bytes: 8_123_456_789, received_bytes: 120_000 },
    { path: '/usr/bin/firefox-esr', host: 'xn--mnchen-3ya.de', port: 443, protocol: 'udp' },
    { path: '', application: 'An unknown program', host: '', names: [], name_sources: [], address: '2001:db8::7', port: 8080, action: 'ask', reason: 'no-owner', rule_id: '', confidence: 'unknown', evidence: 'none' },
    { path: '', application: 'Container 3f2a9c0b1d2e (docker), 172.17.0.2', forwarded_from: 'Container 3f2a9c0b1d2e (docker), 172.17.0.2', host: 'registry.example.org', reason: 'forwarded', rule_id: '' },
    { path: '/usr/sbin/sshd', host: '', names: [], name_sources: [], address: '192.0.2.77', port: 52_000, direction: 'in', reason: 'reply', rule_id: '' },
  ];
  return flows.map((change, at) => flowOf({ id: `f${(1000 - at).toString(BASE)}`, time_ms: nowMs - at * 61_000, ...change }));
}

/** So many flows of 200 programs to 5000 hosts, one in ten refused. */
export function manyFlows(count: number, nowMs: number): readonly FlowInfo[] {
  return Array.from({ length: count }, (_none, at) => {
    const host = `host-${String((at * 7919) % 5000)}.example.org`;
    return flowOf({
      id: `f${(1_000_000 + count - at).toString(BASE)}`, time_ms: nowMs - at * 100, path: `/usr/bin/program-${String(at % 200)}`, host, names: [host],
      ...(at % 10 === 0 ? { action: 'deny', reason: 'default-action', rule_id: '' } : {}),
    });
  });
}

/** Sums as the helper would make them. */
export function groupsOf(flows: readonly FlowInfo[], by: GroupBy): readonly TotalsInfo[] {
  const groups = new Map<string, FlowInfo[]>();
  for (const flow of flows) {
    const key = by === 'application' ? flowProgram(flow) : flowDestination(flow);
    groups.set(key, [...groups.get(key) ?? [], flow]);
  }
  const rows = [...groups].map(([key, all]) => {
    const refused = all.filter(({ action }) => action !== 'allow').length;
    const sum = (of: (flow: FlowInfo) => number | undefined): number => all.reduce((total, flow) => total + (of(flow) ?? 0), 0);
    return {
      application: key, path: '', uid: by === 'application' ? OWN_UID : 0xffff_ffff, user: '', sent_bytes: sum((flow) => flow.sent_bytes), sent_packets: 0,
      received_bytes: sum((flow) => flow.received_bytes), received_packets: 0, connections: all.length, allowed: all.length - refused, refused,
      ...(by === 'application' ? { program: key } : { destination: key }), last_ms: Math.max(...all.map(({ time_ms: timeMs }) => timeMs)),
    };
  });
  return rows.sort((a, b) => b.connections - a.connections);
}
