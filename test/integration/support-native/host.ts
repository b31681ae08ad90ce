/** Runs in the client's network namespace: loads the addon and does what the test asks for. */
import { closeSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { loadBinding } from '../../../native/binding.ts';
import type { NativeDataPath, NativeEvents } from '../../../native/binding.ts';
import type { FromHost, Reply, Request, ToHost } from './protocol.ts';

let path: NativeDataPath | null = null;
let labourMs = 0;
let calls = 0;

function send(message: FromHost): void {
  process.send?.(message);
}

function opened(): NativeDataPath {
  if (path === null) throw new Error('not open');
  return path;
}

/** Inode numbers of netlink sockets of protocol 12, NETLINK_NETFILTER, from /proc/net/netlink. */
function netfilterSockets(): ReadonlySet<string> {
  const rows = readFileSync('/proc/net/netlink', 'utf8').split('\n').map((line) => line.trim().split(/\s+/u));
  return new Set(rows.filter((row) => row[1] === '12').map((row) => `socket:[${row.at(-1) ?? ''}]`));
}

/** Takes the queue's socket away under the receiver thread, as no well-behaved program would. */
function breakQueue(): void {
  const sockets = netfilterSockets();
  for (const name of readdirSync('/proc/self/fd')) {
    try {
      if (sockets.has(readlinkSync(`/proc/self/fd/${name}`))) closeSync(Number(name));
    } catch {
      // The folder's own descriptor has gone meanwhile.
    }
  }
}

function told(events: NativeEvents): void {
  if (calls === 0) setImmediate(() => { calls = 0; });
  calls += 1;
  send({ kind: 'events', events, call: calls });
  for (const end = performance.now() + labourMs; performance.now() < end;);
}

async function serve(request: Request): Promise<Reply> {
  switch (request.op) {
    case 'open':
      path = loadBinding(request.addon).open(request.options, told);
      return path.features;
    case 'loadAhead': loadBinding(request.addon).loadAhead(request.objectPath, request.pinPath); return null;
    case 'removePins': loadBinding(request.addon).removePins(request.pinPath); return null;
    case 'answer': return opened().answer(request.answers);
    case 'remember': opened().remember(request.entries); return null;
    case 'replaceAll': opened().replaceAll(request.programs, request.flows, request.policy); return null;
    case 'adopt': return opened().adopt(request.policy);
    case 'setGate': opened().setGate(request.posture); return null;
    case 'setTellFlows': opened().setTellFlows(request.on); return null;
    case 'leaveFlows': return opened().leaveFlows();
    case 'setRecorder': opened().setRecorder(request.there); return null;
    case 'generation': return opened().generation();
    case 'hits': return opened().hits();
    case 'traffic': return opened().traffic();
    case 'processImage': return opened().processImage(request.pid, request.startNs);
    case 'processRecord': return opened().processRecord(request.pid, request.startNs, request.ran);
    case 'trace': opened().setPacketTrace(request.on); return null;
    case 'counters': return opened().counters();
    case 'health': return opened().health();
    case 'lostPins': return opened().lostPins();
    case 'breakQueue': breakQueue(); return null;
    case 'block':
      setImmediate(() => { readFileSync(request.fifo); });
      return null;
    case 'labour': labourMs = request.ms; return null;
    case 'close': await opened().close({ unpin: request.unpin }); return null;
    default: throw new TypeError('unknown request');
  }
}

process.on('message', (message: ToHost) => {
  serve(message.request).then(
    (value) => {
      send({ kind: 'reply', sequence: message.sequence, value });
    },
    (error: unknown) => {
      const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
      send({ kind: 'failure', sequence: message.sequence, code, message: String(error) });
    },
  );
});
process.on('disconnect', () => process.exit(0));
