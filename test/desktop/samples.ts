/** Prompts, rules and a status as a helper would send them. */
import type { HelperStatus } from '../../helper/contract/client.ts';
import type {
  FlowInfo, ImportSummary, NetworkInterface, NetworkState, NetworkContainer, NetworkZone, ProfileInfo, PromptInfo, RuleEdit, RuleFinding, RuleInfo, SimulationInfo, SimulationRow,
  TotalsInfo,
} from '../../helper/contract/types.ts';

export function promptOf(change: Partial<PromptInfo> = {}): PromptInfo {
  return {
    id: 'p1', nonce: '0123456789abcdef0123456789abcdef', application: 'curl', path: '/usr/bin/curl', confidence: 'certain',
    evidence: 'kernel', destination: 'example.org', names: ['example.org'], name_sources: ['program'], is_lookup: false,
    address: '203.0.113.7', port: 443, protocol: 'tcp', uid: 1000, user: 'alice',
    pid: 4711, command: 'curl',
    ancestors: [
      { pid: 4700, path: '/usr/bin/bash', command: 'bash' }, { pid: 4600, path: '/usr/bin/xterm', command: 'xterm' },
      { pid: 1, path: '/usr/lib/systemd/systemd', command: 'systemd' },
    ],
    count: 1, raised_ms: 1_800_000_000_000, expires_in_ms: 30_000, timeout_ms: 30_000, status: 'pending',
    lifetimes: ['once', 'process', 'session', 'boot', 'until', 'always'], scopes: ['host', 'port', 'any'],
    default_lifetime: 'once', default_scope: 'host', ...change,
  };
}

export function ruleInfoOf(change: Partial<RuleInfo> | (RuleEdit & { readonly id: string })): RuleInfo {
  return {
    id: 'curl-example', name: change.id ?? 'curl-example', action: 'allow', enabled: true, path: '/usr/bin/curl', address: '', port: '443',
    protocol: 'tcp', user: '', lifetime: 'always', schedule: '', priority: 0, group: '', tier: 'user', editable: true,
    file: '50-user.toml', line: 3, created_ms: 1_800_000_000_000, hits: 0, last_hit_ms: 0, ...change,
  };
}

export function statusOf(change: Partial<HelperStatus> = {}): HelperStatus {
  return {
    version: '3.0.0', mode: 'enforcing', state: 'protecting', degradedReasons: [], pausedUntilMs: 0, profile: '', loadErrors: [],
    statistics: {
      packets: 18_223, connections: 5120, allowed: 4987, denied: 133, prompts: 21, prompts_expired: 2, prompts_renewed: 5, safeguard_begins: 0, safeguard_refused: 0, rules: 34,
      queue_length: 0, queue_dropped: 0, queue_user_dropped: 0, queue_overruns: 0, held: 1, default_verdicts: 0,
      unidentified: 0, kernel_decided: 4311, gate_dropped: 0, over_budget: 0, rules_mended: 0, names: 0, dns_ignored: 0, names_lost: 0, history_lost: 0, uptime_ms: 5_400_000,
    },
    ...change,
  };
}

/** Every kind of rule that the list shows differently. */
export function sampleRules(nowMs: number): readonly RuleInfo[] {
  return [
    ruleInfoOf({ id: 'curl-example', hits: 12, last_hit_ms: nowMs - 180_000 }),
    ruleInfoOf({ id: 'ssh-home', name: 'ssh to the house', path: '/usr/bin/ssh', address: '192.0.2.0/24', port: '22', group: 'Home' }),
    ruleInfoOf({ id: 'telemetry', action: 'deny', path: '/opt/vendor/telemetry-agent', port: '', protocol: '', hits: 230, last_hit_ms: nowMs - 4000 }),
    ruleInfoOf({ id: 'steam', path: '/usr/games/steam', port: '27000-27050', protocol: 'udp', enabled: false }),
    ruleInfoOf({ id: 'git-hour', path: '/usr/bin/git', lifetime: 'until', until_ms: nowMs + 1_800_000 }),
    ruleInfoOf({ id: 'ask-python', action: 'ask', path: '/usr/bin/python3.11', port: '', protocol: '' }),
    ruleInfoOf({
      id: 'office-hours', action: 'drop', path: '/usr/bin/chat', port: '', protocol: '', user: 'bob', schedule: 'mon,fri 09:00-17:30',
      tier: 'administrator', editable: false, file: '10-admin.toml',
    }),
    ruleInfoOf({ id: 'resolver', name: 'Name lookup', path: '/usr/lib/systemd/systemd-resolved', port: '53', protocol: 'udp', tier: 'vendor', editable: false, hits: 4012, last_hit_ms: nowMs - 1000 }),
    ruleInfoOf({ id: 'dhcp', name: 'Network set-up', path: '', port: '67', protocol: 'udp', tier: 'built-in', editable: false, file: '', hits: 3 }),
  ];
}

export function findingOf(change: Partial<RuleFinding> = {}): RuleFinding {
  return { kind: 'unused', rule_id: 'curl-example', name: 'curl-example', other_id: '', text: '', advice: '', ...change };
}

export function simulationOf(change: Partial<SimulationInfo> = {}): SimulationInfo {
  return {
    text: '', flows: 420, since_ms: 1_799_000_000_000, refused_applications: 0, refused_connections: 0, asked_applications: 0, asked_connections: 0,
    allowed_applications: 0, allowed_connections: 0, unlisted: 0, lists_ignored: 0, ...change,
  };
}

export function simulationRowOf(change: Partial<SimulationRow> = {}): SimulationRow {
  return {
    change: 'allowed', from: 'deny', to: 'allow', application: 'curl', path: '/usr/bin/curl', uid: 1000, user: 'alice', host: 'example.org',
    address: '203.0.113.7', port: 443, protocol: 'tcp', connections: 12, first_ms: 1_799_000_000_000, last_ms: 1_799_900_000_000, rule_before: '',
    rule_after: 'curl-example', examples: [], ...change,
  };
}

export function importSummaryOf(change: Partial<ImportSummary> = {}): ImportSummary {
  return { format: 'bastion', guess: '', dry_run: true, kept: 0, changed: 0, review: 0, skipped: 0, ids: [], settings: '', applications: '', ...change };
}

export function flowOf(change: Partial<FlowInfo> = {}): FlowInfo {
  return {
    id: 'f1', time_ms: 1_800_000_000_000, application: 'curl', path: '/usr/bin/curl', uid: 1000, pid: 4711, source_address: '192.0.2.7',
    source_port: 40_000, address: '203.0.113.7', port: 443, protocol: 'tcp', host: 'example.org', names: ['example.org'],
    name_sources: ['program'], interface: 'eth0', length: 60, action: 'allow', reason: 'rule', rule_id: 'curl-example',
    confidence: 'certain', evidence: 'kernel', ...change,
  };
}

export function trafficOf(path: string, received: number, sent: number, change: Partial<TotalsInfo> = {}): TotalsInfo {
  return {
    application: path.slice(path.lastIndexOf('/') + 1), path, uid: process.getuid?.() ?? 0, user: 'alice', sent_bytes: sent,
    sent_packets: Math.ceil(sent / 1000), received_bytes: received, received_packets: Math.ceil(received / 1000), ...change,
  };
}

/** What the network page reads. */
export interface SampleNetwork {
  readonly interfaces: readonly NetworkInterface[];
  readonly zones: readonly NetworkZone[];
  readonly containers?: readonly NetworkContainer[];
  readonly state: NetworkState;
  readonly profiles: readonly ProfileInfo[];
}

export const NO_NETWORK: SampleNetwork = {
  interfaces: [], zones: [], state: { connections: [], ssids: [], gateways: [], profile: '' }, profiles: [],
};

/** The same network with this profile chosen by hand; '' for the one that is recognized. */
export function withChosen(network: SampleNetwork, id: string): SampleNetwork {
  const recognized = network.profiles.find((profile) => profile.recognized)?.id ?? '';
  const active = id === '' ? recognized : id;
  return {
    ...network, state: { ...network.state, profile: active },
    profiles: network.profiles.map((profile) => ({ ...profile, active: profile.id === active, chosen: profile.id === id })),
  };
}

export const SAMPLE_NETWORK: SampleNetwork = {
  interfaces: [
    {
      name: 'wlan0', kind: 'wireless', up: true, connected: true, mac: '02:00:5e:10:00:01', zone: 'home',
      addresses: [
        { address: '192.0.2.57', prefix: 24, scope: 'global', dynamic: true, temporary: false, deprecated: false },
        { address: '2001:db8::b1c3:22ff', prefix: 64, scope: 'global', dynamic: true, temporary: true, deprecated: false },
        { address: '2001:db8::5eff:fe10:1', prefix: 64, scope: 'global', dynamic: true, temporary: false, deprecated: true },
        { address: 'fe80::5eff:fe10:1', prefix: 64, scope: 'link', dynamic: false, temporary: false, deprecated: false },
      ],
    },
    {
      name: 'wg0', kind: 'tunnel', up: true, connected: true, mac: '', zone: 'work',
      addresses: [{ address: '198.51.100.4', prefix: 32, scope: 'global', dynamic: false, temporary: false, deprecated: false }],
    },
    { name: 'lo', kind: 'loopback', up: true, connected: true, mac: '', zone: '', addresses: [{ address: '127.0.0.1', prefix: 8, scope: 'host', dynamic: false, temporary: false, deprecated: false }] },
    { name: 'eth0', kind: 'ethernet', up: false, connected: false, mac: '02:00:5e:10:00:02', zone: 'home', addresses: [] },
  ],
  zones: [
    { id: 'home', patterns: ['eth0', 'wlan0'], interfaces: ['wlan0', 'eth0'], addresses: ['192.0.2.57/24', '2001:db8::b1c3:22ff/64'], used_by: ['ssh-home'] },
    { id: 'work', patterns: ['wg*'], interfaces: ['wg0'], addresses: ['198.51.100.4/32'], used_by: [] },
  ],
  state: { connections: ['Home'], ssids: ['Home 5G'], gateways: [{ address: '192.0.2.1', mac: '02:00:5e:10:00:ff' }], profile: 'home' },
  profiles: [
    { id: 'home', name: 'At home', active: true, chosen: false, recognized: true, is_default: false, has_network: true },
    { id: 'travel', name: 'Travelling', active: false, chosen: false, recognized: false, is_default: true, has_network: false },
  ],
};
