/** A helper that starts while programs send: what waits for it unread is never taken for another program's. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Lab } from '../lab/lab.ts';
import { FULL_SIZE, clientOf, copyInto, noLab } from '../integration/support.ts';
import { Traffic, trafficProgram } from './support.ts';

const STARTS = FULL_SIZE ? 100 : 5;
/** So few ports that one program's datagram soon comes from the port of another's that still waits. */
const PORTS = '40000 40003';
const PROGRAMS = 3;

describe('a start under load', () => {
  test(`${String(STARTS)} starts, programs that take turns with a few ports: what is denied stays so`, { skip: noLab() }, async () => {
    await using lab = await Lab.create();
    const ports = await lab.run(['sh', '-c', `echo ${PORTS} > /proc/sys/net/ipv4/ip_local_port_range`], { as: 'root' });
    assert.equal(ports.status, 0, ports.stderr);
    await lab.peer.watch();
    for (let start = 1; start <= STARTS; start += 1) {
      // Of their own for each start: the kernel knows nothing of them yet.
      const paths = (kind: string): string[] => Array.from({ length: PROGRAMS }, (_, index) => copyInto(lab, trafficProgram(), `${kind}-${String(start)}-${String(index)}`));
      const [allowed, denied] = [paths('allowed'), paths('denied')];
      const client = clientOf(lab);
      for (const path of allowed) await client.addRule({ action: 'allow', path });
      for (const path of denied) await client.addRule({ action: 'deny', path });
      client.close();
      await lab.stopHelper('SIGKILL');
      const sending = (path: string, tag: string): Promise<Traffic> => Traffic.attempt(lab, [path, 'anew', lab.peer6, '7', `lab-tag:${tag};`]);
      const [going, refused] = await Promise.all([allowed, denied].map((programs, index) =>
        Promise.all(programs.map((path) => sending(path, index === 0 ? 'allowed' : 'denied')))));
      assert.ok(going !== undefined && refused !== undefined);
      await lab.startHelper();
      await Promise.all(refused.map((traffic) => traffic.end()));
      // Two programs under one port cannot be told apart and are both refused: it is free of the others only now.
      const [first, ...others] = going;
      await Promise.all(others.map((traffic) => traffic.end()));
      await first?.total('received', 1, 30_000);
      await first?.end();
      const counts = await lab.peer.counts();
      assert.equal(counts.lost, 0);
      assert.equal(counts.of('tag/denied'), 0, `start ${String(start)}`);
    }
  });
});
