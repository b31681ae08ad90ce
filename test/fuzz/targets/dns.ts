/** DNS messages: any program's question, any server's answer. */
import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { ANSWER_LIMITS, hostName, isUsable, queryName, readDnsMessage } from '../../../helper/adapters/dns-message.ts';
import { message, nameBytes, v4, v6 } from '../../unit/dns-bytes.ts';
import type { Target } from '../engine.ts';

const https = Buffer.concat([
  message({ name: 'a.example', type: 'HTTPS', answers: [], count: 1 }), nameBytes('a.example'),
  Buffer.from([0, 65, 0, 1, 0, 0, 1, 0, 0, 37, 0, 1, 0, 0, 1, 0, 3, 2, 0x68, 0x32, 0, 4, 0, 4, 192, 0, 2, 1, 0, 6, 0, 16, ...v6(9)]),
]);

function run(input: Buffer): void {
  const content = readDnsMessage(input);
  const name = queryName(input);
  if (typeof content === 'string') {
    assert.equal(name, null);
    return;
  }
  assert.equal(hostName(content.name), content.name);
  assert.equal(name, content.isAnswer ? null : content.name);
  assert.ok(content.addresses.length <= ANSWER_LIMITS.addresses && (content.isAnswer || content.addresses.length === 0));
  for (const { address, ttlS } of content.addresses) {
    assert.ok(isIP(address) !== 0 && isUsable(address) && ttlS >= 0 && ttlS <= 0x7fff_ffff, `${address} ${String(ttlS)}`);
  }
  // The same question, written anew, is read as the same.
  assert.equal(queryName(message({ name: content.name })), content.name);
}

export const target: Target = {
  name: 'dns', run, maxBytes: 1024,
  seeds: [
    message(), message({ name: 'a.b.example', type: 'AAAA', answers: [{ name: 'a.b.example', type: 'AAAA', data: v6(1) }] }), https,
    message({ name: 'x.example', answers: [{ name: 'x.example', type: 'CNAME', data: 'y.example' }, { name: 'y.example', type: 'A', data: v4('192.0.2.1') }] }),
  ],
  dictionary: ['\u{1}a\u{7}example\0', '\0\u{1}\0\u{1}', '\0\u{5}\0\u{1}', '\0\u{1c}\0\u{1}', '\0A\0\u{1}'],
};
