/** Prompts, rules and a status as a helper would send them. */
import type { HelperStatus } from '../../helper/contract/client.ts';
import type { PromptInfo, RuleEdit, RuleInfo } from '../../helper/contract/types.ts';

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
    version: '3.0.0', mode: 'enforcing', state: 'protecting', degradedReasons: [], pausedUntilMs: 0, loadErrors: [],
    statistics: {
      packets: 18_223, connections: 5120, allowed: 4987, denied: 133, prompts: 21, prompts_expired: 2, rules: 34,
      queue_length: 0, queue_dropped: 0, queue_user_dropped: 0, queue_overruns: 0, held: 1, default_verdicts: 0,
      unidentified: 0, kernel_decided: 4311, gate_dropped: 0, over_budget: 0, rules_mended: 0, names: 0, dns_ignored: 0, names_lost: 0, uptime_ms: 5_400_000,
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
