/** monitor: flows, or packets, as they happen. */
import type { PacketInfo } from '../../contract/client.ts';
import type { FlowInfo } from '../../contract/types.ts';
import { NotConnectedError } from '../../contract/client.ts';
import { flowJson } from '../../contract/flow-export.ts';
import { EXIT, UNKNOWN_UID } from '../../contract/names.ts';
import type { Context } from '../context.ts';
import type { ExitCode } from '../errors.ts';
import { jsonText, printable } from '../text/escape.ts';
import { endpoint, namedEndpoint } from '../text/words.ts';
import type { Invocation, Verb } from '../tree.ts';
import { numberOption } from './options.ts';
import { actionPaint } from './rules.ts';

/** Output that waits for a slow reader; what comes on top of it is counted and left out. */
export const PENDING_LIMIT_BYTES = 1_048_576;

/** The uid for people, '' for one that is not known. */
export function uidText(uid: number): string {
  return uid === UNKNOWN_UID ? '' : String(uid);
}

/** JSON of a packet; the keys are stable. */
export function packetJson(packet: PacketInfo): unknown {
  return {
    time_ms: packet.time_ms, length: packet.length, protocol: packet.protocol,
    source_address: packet.source_address, source_port: packet.source_port, address: packet.address, port: packet.port,
    interface: packet.interface,
  };
}

/** `ended after 2 s, sent 1.2 kB, received 30 kB`; '' of a connection that is open, or was not counted. */
function endText({ format }: Context, flow: FlowInfo): string {
  if (flow.ended_ms === undefined) return '';
  const lasted = format.span(Math.max(0, flow.ended_ms - flow.time_ms));
  return `ended after ${lasted}, sent ${format.size(flow.sent_bytes ?? 0)}, received ${format.size(flow.received_bytes ?? 0)}`;
}

/** `12:00:01.123  allow  curl  ->  example.org (192.0.2.1:443)  tcp  alice  rule web  f7`, escaped. */
export function flowLine(context: Context, flow: FlowInfo): string {
  const where = endpoint(flow.address, flow.port, flow.protocol);
  const why = flow.rule_id === '' ? flow.reason : `${flow.reason} ${flow.rule_id}`;
  return [
    context.style.faint(context.format.clock(flow.time_ms)),
    actionPaint(context, flow.action)(flow.action.padEnd(5)),
    context.style.strong(printable(flow.application)),
    flow.direction === 'in' ? '<-' : '->',
    printable(namedEndpoint(flow.host, flow.name_sources[0], where)),
    printable(flow.protocol),
    `uid ${uidText(flow.uid) || 'unknown'}`,
    context.style.faint(printable(`[${why}]`)),
    context.style.faint(printable(flow.id)),
    ...(flow.ended_ms === undefined ? [] : [context.style.faint(endText(context, flow))]),
  ].join('  ');
}

/** `12:00:01.123  72 bytes  udp  192.0.2.1:5312 -> 198.51.100.7:53  eth0`, escaped. */
export function packetLine(context: Context, packet: PacketInfo): string {
  return [
    context.style.faint(context.format.clock(packet.time_ms)),
    `${context.format.count(packet.length)} bytes`.padStart(11),
    printable(packet.protocol).padEnd(4),
    printable(`${endpoint(packet.source_address, packet.source_port, packet.protocol)} -> ${endpoint(packet.address, packet.port, packet.protocol)}`),
    context.style.faint(printable(packet.interface)),
  ].join('  ');
}

/** Writes lines until `limit` of them; leaves out what a slow reader cannot take, and says how much was left out. */
export class LineWriter {
  readonly #context: Context;
  readonly #limit: number;
  readonly #full: () => void;
  #written = 0;
  #lost = 0;

  constructor(context: Context, limit: number, full: () => void) {
    this.#context = context;
    this.#limit = limit;
    this.#full = full;
  }

  get lost(): number {
    return this.#lost;
  }

  write(line: string): void {
    if (this.#written >= this.#limit) return;
    if (this.#context.io.pendingBytes() > PENDING_LIMIT_BYTES) {
      this.#lost += 1;
      return;
    }
    this.sayLost();
    this.#context.io.out(`${line}\n`);
    this.#written += 1;
    if (this.#written === this.#limit) this.#full();
  }

  /** The helper itself had to leave out so many before the next line. */
  addLost(count: number): void {
    this.#lost += count;
  }

  /** Says what was left out since the last line that was written. */
  sayLost(): void {
    if (this.#lost === 0) return;
    this.#context.note(`${this.#context.format.count(this.#lost)} lines were left out: there were too many of them.`);
    this.#lost = 0;
  }
}

async function run(context: Context, { options }: Invocation): Promise<ExitCode> {
  const wantPackets = options['packets'] === true;
  const limit = numberOption(options, 'count', 1, Number.MAX_SAFE_INTEGER) ?? Number.MAX_SAFE_INTEGER;
  // Packets do not tell whose they are: to see them costs more than to see one's own flows.
  const client = wantPackets ? await context.privilegedClient() : context.client();
  let finish: () => void = () => undefined;
  const full = new Promise<void>((resolve) => (finish = resolve));
  const writer = new LineWriter(context, limit, finish);
  const { json } = context.options;
  const offs = [
    wantPackets ? client.on('packets', (packets) => {
      for (const one of packets) {
        writer.addLost(one.lost ?? 0);
        writer.write(json ? jsonText(packetJson(one), false) : packetLine(context, one));
      }
    }) : client.on('flows', (flows) => {
      for (const one of flows) {
        writer.addLost(one.lost ?? 0);
        writer.write(json ? jsonText(flowJson(one), false) : flowLine(context, one));
      }
    }),
  ];
  try {
    await client.subscribe({ packets: wantPackets });
    offs.push(client.on('connected', (connected) => {
      context.note(connected ? 'The helper is back.' : 'The helper went away; waiting for it.');
    }));
    const ended = await Promise.race([
      context.io.untilStopped().then(() => 'stopped'), full.then(() => 'stopped'), context.untilBridgeEnds().then(() => 'lost'),
    ]);
    if (ended === 'lost') throw new NotConnectedError('the connection over ssh ended');
    // The helper forgets a caller that left; this only spares it the wait.
    await client.unsubscribe().catch(() => undefined);
    writer.sayLost();
    return EXIT.done;
  } finally {
    for (const off of offs) off();
  }
}

export const monitor: Verb = {
  name: 'monitor',
  about: 'Show connections as they are decided',
  text: 'A TCP connection that lasts is shown again when it has ended, under the same name. With --json one object on each line. Ends with Ctrl-C.',
  options: [
    { name: 'packets', about: 'show instead each packet that reaches the helper: size, addresses, ports, protocol' },
    { name: 'count', short: 'n', value: 'NUMBER', about: 'end after so many lines' },
  ],
  examples: ['monitor', 'monitor --packets', 'monitor --json | jq .address'],
  run,
};
