/** What the tests of the base rules share. */
import assert from 'node:assert/strict';
import { boot } from '../lab/boot-scripts.ts';
import type { BootOptions } from '../lab/boot-scripts.ts';
import type { Lab } from '../lab/lab.ts';
import { copyInto } from '../integration/support.ts';
import { Traffic, trafficProgram } from './support.ts';

const TIMEOUT_MS = '20';
/** What the kernel itself may send: neighbour discovery, errors and answers, membership. */
const LINK_KEYS = /^(?:icmp6\/(?:13[3-6]|143)|other\/2)$/u;

/** Leaves by every ordinary way, again and again. */
export async function strangers(lab: Lab): Promise<readonly Traffic[]> {
  const path = copyInto(lab, trafficProgram(), 'stranger');
  return Promise.all([
    Traffic.attempt(lab, [path, 'connect', lab.peer4, '443', TIMEOUT_MS]),
    Traffic.attempt(lab, [path, 'connect', lab.peer6, '443', TIMEOUT_MS]),
    Traffic.attempt(lab, [path, 'anew', lab.peer4, '7', 'lab-tag:stranger;']),
    Traffic.attempt(lab, [path, 'anew', lab.peer6, '7', 'lab-tag:stranger;']),
  ]);
}

/** What reached the peer besides the housekeeping of the link. */
export async function undecided(lab: Lab): Promise<string[]> {
  const counts = await lab.peer.counts();
  assert.equal(counts.lost, 0);
  return [...counts.keys.keys()].filter((key) => !LINK_KEYS.test(key));
}

/** Puts the base rules in place; what the script says. */
export function start(lab: Lab, options: BootOptions = {}): Promise<string> {
  return boot(lab, 'start', options).then(({ status, stdout, stderr }) => {
    assert.equal(status, 0, stdout + stderr);
    return stdout;
  });
}
