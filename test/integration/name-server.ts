/**
 * A name server for the lab: UDP and TCP, port 53, on the address that is given or on every one, IPv4 and IPv6. Prints
 * `ready` when it listens.
 *
 * both.lab.test has an address of each family, four.lab.test and six.lab.test one; alias.lab.test is four.lab.test; of
 * long.lab.test only TCP gives the address. Every name below many.lab.test has an IPv4 address. No other name is there.
 */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { ADDRESSES } from '../lab/network.ts';
import { framed, message, v4, v6 } from '../unit/dns-bytes.ts';
import type { RecordText } from '../unit/dns-bytes.ts';

const PORT = 53;
const HEADER_BYTES = 12;
const NO_SUCH_NAME = 0x8183;
const CUT_OFF = 0x8380;

const A: Omit<RecordText, 'name'> = { type: 'A', data: v4(ADDRESSES.peer4) };
const AAAA: Omit<RecordText, 'name'> = { type: 'AAAA', data: v6(1) };
const ZONE: Readonly<Record<string, readonly Omit<RecordText, 'name'>[]>> = {
  'both.lab.test': [A, AAAA], 'four.lab.test': [A], 'six.lab.test': [AAAA], 'long.lab.test': [A],
  'alias.lab.test': [{ type: 'CNAME', data: 'four.lab.test' }],
};

const MANY = '.many.lab.test';

function recordsOf(name: string): readonly Omit<RecordText, 'name'>[] | undefined {
  return name.endsWith(MANY) ? [A] : ZONE[name];
}

function questionOf(bytes: Buffer): { readonly id: number; readonly name: string; readonly type: 'A' | 'AAAA' } {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = bytes[at] ?? 0; length > 0; length = bytes[at] ?? 0) {
    labels.push(bytes.toString('latin1', at + 1, at + 1 + length));
    at += length + 1;
  }
  return { id: bytes.readUInt16BE(0), name: labels.join('.').toLowerCase(), type: bytes.readUInt16BE(at + 1) === 28 ? 'AAAA' : 'A' };
}

function records(name: string, type: string): readonly RecordText[] {
  const own = (recordsOf(name) ?? []).filter((record) => record.type === type || record.type === 'CNAME').map((record) => ({ name, ...record }));
  return own.flatMap((record) => (typeof record.data === 'string' ? [record, ...records(record.data, type)] : [record]));
}

function answerTo(bytes: Buffer, overTcp: boolean): Buffer {
  const { id, name, type } = questionOf(bytes);
  if (recordsOf(name) === undefined) return message({ id, name, type, answers: [], flags: NO_SUCH_NAME });
  if (name === 'long.lab.test' && !overTcp) return message({ id, name, type, answers: [], flags: CUT_OFF });
  return message({ id, name, type, answers: records(name, type) });
}

const [address = '::'] = process.argv.slice(2);
const udp = createSocket(address.includes(':') ? 'udp6' : 'udp4', (bytes, from) => { udp.send(answerTo(bytes, false), from.port, from.address); });
const tcp = createServer((socket) => {
  let waiting = Buffer.alloc(0);
  socket.on('error', () => { socket.destroy(); });
  socket.on('data', (bytes: Buffer) => {
    waiting = Buffer.concat([waiting, bytes]);
    while (waiting.length >= 2 && waiting.length >= 2 + waiting.readUInt16BE(0)) {
      const end = 2 + waiting.readUInt16BE(0);
      socket.write(framed(answerTo(waiting.subarray(2, end), true)));
      waiting = waiting.subarray(end);
    }
  });
});
udp.bind(PORT, address, () => tcp.listen(PORT, address, () => process.stdout.write('ready\n')));
