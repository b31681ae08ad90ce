/** What an engine answers: an engine of a user may be that user's own program. */
import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { containerOf, containerOfEvent, versionPrefix } from '../../../helper/adapters/containers/answers.ts';
import { ENGINE_LIMITS } from '../../../helper/adapters/containers/limits.ts';
import { Listing } from '../../../helper/adapters/containers/listing.ts';
import { described, idOf } from '../../unit/containers-support.ts';
import type { Target } from '../engine.ts';

const ID = idOf(1);

function listed(bytes: Buffer, size: number): readonly string[] | null {
  const listing = new Listing();
  for (let at = 0; at < bytes.length; at += size) listing.push(bytes.subarray(at, at + size));
  return listing.end();
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function run(input: Buffer): void {
  const text = input.toString('utf8');
  const ids = listed(input, input.length + 1);
  assert.deepEqual(listed(input, 3), ids, 'in pieces it is the same');
  for (const id of ids ?? []) assert.ok(/^[0-9a-f]{64}$/.test(id) && text.includes(id));
  assert.match(containerOfEvent(text) ?? ID, /^[0-9a-f]{64}$/);
  const answer = parsed(text);
  assert.match(versionPrefix(answer) ?? '/v1.40', /^\/v1\.\d{1,3}$/);
  const seen = containerOf(answer, ID);
  if (seen === null || seen === 'gone') return;
  assert.ok(seen.id === ID && seen.name.length <= ENGINE_LIMITS.nameCharacters && seen.image.length <= ENGINE_LIMITS.imageCharacters);
  assert.ok(seen.networks.length <= ENGINE_LIMITS.networks && seen.addresses.length <= ENGINE_LIMITS.addresses);
  for (const words of [seen.name, seen.image, seen.label ?? '', seen.networkOf ?? '', ...seen.networks]) assert.ok(words.isWellFormed() && words.length <= 256);
  for (const { address, prefixLength } of seen.addresses) {
    const family = isIP(address);
    assert.ok(family !== 0 && prefixLength >= 1 && prefixLength <= (family === 4 ? 32 : 128), `${address}/${String(prefixLength)}`);
  }
}

export const target: Target = {
  name: 'docker', run, maxBytes: 4096,
  seeds: [
    JSON.stringify(described(ID, { name: 'web' })), JSON.stringify([{ Id: ID, Labels: { a: '[{"' } }, { Id: idOf(2) }]), '[]', JSON.stringify({ ApiVersion: '1.43', MinAPIVersion: '1.24' }),
    JSON.stringify({ Type: 'network', Action: 'connect', Actor: { ID: 'n', Attributes: { container: ID } } }), JSON.stringify({ Type: 'container', Action: 'start', Actor: { ID } }),
  ],
  dictionary: ['"Id":', '"Networks":{', '"IPAddress":"10.0.0.1"', '"IPPrefixLen":', '"GlobalIPv6Address":"fd00::1"', '"Paused":true', '"NetworkMode":"container:', '"NetworkMode":"host"', 'null', '\\u0000', '\\ud800', '"__proto__":{', ID, '],[', '{"Id":"'],
};
