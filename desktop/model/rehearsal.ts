/** A question that nobody asks, of a usual size: the prompt's window is tried with it before it is first needed. */
import type { PromptInfo } from '../../helper/contract/types.ts';

/** Its address is this machine's own, so that no database is opened for it. */
export const REHEARSAL: PromptInfo = {
  id: '', nonce: '', application: 'program', path: '/usr/bin/program', confidence: 'certain', evidence: 'kernel',
  destination: 'www.example.org', names: ['www.example.org'], name_sources: ['program'], is_lookup: false, address: '127.0.0.1', port: 443,
  protocol: 'tcp', uid: 0, user: 'root', pid: 2, command: 'program --option',
  ancestors: [{ pid: 1, path: '/usr/lib/systemd/systemd', command: 'systemd' }],
  count: 1, raised_ms: 0, expires_in_ms: 0, timeout_ms: 30_000, status: 'pending',
  lifetimes: ['once', 'process', 'session', 'boot', 'until', 'always'], scopes: ['host', 'port', 'any'],
  default_lifetime: 'always', default_scope: 'host',
};
