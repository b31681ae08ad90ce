/** The port: a thread that is there only while a socket is, settings that change, and a thread that ends. */
import assert from 'node:assert/strict';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { WatchedContainers } from '../../helper/adapters/containers.ts';
import type { Logger } from '../../helper/ports.ts';
import { described, idOf, StandIn } from './containers-support.ts';

const WORKER = new URL('../../helper/adapters/containers/worker.ts', import.meta.url);
const WAIT_MS = 60_000;
const A = idOf(1);

class Rig implements AsyncDisposable {
  readonly lines: string[] = [];
  readonly logger: Logger = { log: (level, message, fields) => { this.lines.push(`${level} ${message} ${JSON.stringify(fields)}`); }, setLevel: () => undefined };
  readonly containers: WatchedContainers;

  constructor(worker: string | URL = WORKER) {
    this.containers = new WatchedContainers({ worker, logger: this.logger, idleMs: 10, againMs: 10 });
  }

  get states(): string {
    return this.containers.engines.map(({ engine, state }) => `${engine} ${state}`).join(', ');
  }

  async until(what: string, holds: () => boolean): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => { reject(new Error(`waited in vain for ${what}: ${this.states}`)); }, WAIT_MS);
      const look = (): void => {
        if (!holds()) return;
        clearTimeout(timer);
        stop();
        resolve();
      };
      const stop = this.containers.onChanged(look);
      look();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.containers.close();
  }
}

test('containers: nothing is said where there is no socket; one that appears is used, whichever folder came first', async () => {
  await using engine = new StandIn();
  await using rig = new Rig();
  const socket = join(engine.folder, 'some/where/engine.sock');
  engine.containers.set(A, described(A, { labels: { 'org.bastionfirewall.zone': 'Not one' } }));
  rig.containers.configure({ docker: socket, podman: '', zones: [{ image: 'nginx*', zone: 'web' }] });
  assert.equal(rig.states, 'docker absent');
  mkdirSync(join(engine.folder, 'some/where'), { recursive: true });
  await engine.listenAt(socket);
  await rig.until('the container', () => rig.containers.current.length === 1 && rig.states === 'docker connected');
  const [found] = rig.containers.current;
  assert.deepEqual([found?.engine, found?.name, found?.zone], ['docker', 'web', 'web']);
  assert.equal(rig.containers.withAddress('172.17.0.2'), found);
  assert.equal(rig.containers.withId(A), found);
  assert.deepEqual(rig.lines.map((line) => line.split(' ').slice(0, 3).join(' ')), ['warning a container\'s', 'info Docker\'s containers']);
  // Other zones cost no new look, an engine that is switched off has no containers.
  rig.containers.configure({ docker: socket, podman: '', zones: [] });
  assert.equal(rig.containers.current[0]?.zone, '');
  rig.containers.configure({ docker: '', podman: '', zones: [] });
  assert.deepEqual([rig.containers.current, rig.containers.engines, rig.containers.withId(A)], [[], [], null]);
});

test('containers: an engine that starts again is found again at once, also after the thread was let go', async () => {
  await using engine = new StandIn();
  await using rig = new Rig();
  engine.containers.set(A, described(A));
  rig.containers.configure({ docker: '', podman: engine.socket, zones: [] });
  for (let round = 0; round < 3; round += 1) {
    await engine.listen();
    await rig.until('it', () => rig.states === 'podman connected' && rig.containers.withId(A) !== null);
    await engine.stop();
    rmSync(engine.socket, { force: true });
    await rig.until('its end', () => rig.states === 'podman absent' && rig.containers.withId(A) === null);
  }
  assert.ok(!rig.lines.some((line) => line.startsWith('error')), rig.lines.join('\n'));
});

test('containers: a thread that ends takes its knowledge with it, is said, and is started again', async () => {
  await using engine = new StandIn();
  await engine.listen();
  const failing = new URL(`data:text/javascript,${encodeURIComponent(`import { parentPort, workerData } from 'node:worker_threads';
    parentPort.postMessage({ kind: 'engine', engine: workerData[0].engine, state: 'connected', problem: '', ownerUid: 0 });
    setTimeout(() => { throw new Error('broken'); }, 50);`)}`);
  await using rig = new Rig(failing);
  rig.containers.configure({ docker: engine.socket, podman: '', zones: [] });
  for (let round = 0; round < 2; round += 1) {
    await rig.until('the connection', () => rig.states === 'docker connected');
    await rig.until('the end', () => rig.states === 'docker failing');
  }
  assert.ok(rig.lines.some((line) => line.startsWith('error the thread that asks for containers failed')));
});
