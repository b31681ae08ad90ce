/** The real Docker and Podman of Debian's packages: at each rest point the helper knows what `inspect` says, whatever was done. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { HelperClient } from '../../helper/contract/client.ts';
import { LabDocker, LabPodman, TEST_IMAGE } from '../lab/engines.ts';
import type { Inspected, LabEngine } from '../lab/engines.ts';
import { Lab } from '../lab/lab.ts';
import { mustHold } from '../must-hold.ts';
import { clientOf, FULL_SIZE, noLab, until } from './support.ts';

const skip = noLab();
const SIZE = FULL_SIZE ? 50 : 6;
const REST_LIMIT_MS = 60_000;
const PAGE = 500;

/** Every how many of the containers it is done to. */
const EVERY = { host: 6, labelled: 3, stopped: 5, killed: 4, paused: 3, renamed: 2, moved: 2 } as const;

function rowOf({ Id, Name, State, Config, HostConfig, NetworkSettings }: Inspected): string {
  const addresses = Object.entries(NetworkSettings.Networks ?? {}).flatMap(([name, one]) => [
    ...(one.IPAddress === '' ? [] : [`${name} ${one.IPAddress}/${String(one.IPPrefixLen)}`]),
    ...(one.GlobalIPv6Address === '' ? [] : [`${name} ${one.GlobalIPv6Address}/${String(one.GlobalIPv6PrefixLen)}`]),
  ]);
  const state = State.Paused ? 'paused' : 'running';
  return [Id, Name.replace(/^\//u, ''), Config.Image, state, HostConfig.NetworkMode === 'host' ? 'host' : '', ...addresses.sort()].join(' | ');
}

class Scene implements AsyncDisposable {
  readonly lab: Lab;
  readonly engine: LabEngine;
  readonly client: HelperClient;
  points = 0;
  containers = 0;

  private constructor(lab: Lab, engine: LabEngine) {
    this.lab = lab;
    this.engine = engine;
    this.client = clientOf(lab);
  }

  /** Null after `context.skip`: the packages cannot be had. */
  static async make(context: TestContext, name: 'docker' | 'podman'): Promise<Scene | null> {
    const lab = await Lab.create({ defaultAction: 'deny', settings: '[containers]\ndocker = ""\npodman = ""' });
    let engine: LabEngine;
    try {
      engine = await (name === 'docker' ? LabDocker : LabPodman).lay(lab);
    } catch (error: unknown) {
      await lab.dispose();
      const why = error instanceof Error ? error.message : String(error);
      if (!why.startsWith('needs the Debian package')) throw error;
      context.skip(why);
      return null;
    }
    const scene = new Scene(lab, engine);
    const file = join(lab.configDir, 'bastion.toml');
    const settings = readFileSync(file, 'utf8').replace(`${name} = ""`, `${name} = "${engine.socket}"`);
    writeFileSync(file, `${settings}[[container]]\nname = "*-mapped"\nzone = "mapped"\n`);
    return scene;
  }

  async known(): Promise<readonly string[]> {
    const { rows } = await this.client.listContainers(PAGE, '');
    return rows.map(({ id, name, image, state, host_network: host, addresses }) =>
      [id, name, image, state, host ? 'host' : '', ...[...addresses].sort()].join(' | ')).sort();
  }

  /** What the engine says now is what the helper knows, as soon as it has heard of it. */
  async rests(after: string): Promise<void> {
    const wanted = (await this.engine.inspectRunning()).map(rowOf).sort();
    let known: readonly string[] = [];
    try {
      await until(`what runs after ${after}`, async () => {
        known = await this.known();
        return JSON.stringify(known) === JSON.stringify(wanted) ? true : null;
      }, REST_LIMIT_MS);
    } catch {
      assert.deepEqual(known, wanted, after);
    }
    this.points += 1;
    this.containers = Math.max(this.containers, known.length);
  }

  async state(wanted: string): Promise<void> {
    await until(`the engine to be ${wanted}`, async () => {
      const { engines = [] } = await this.client.network();
      return engines.some(({ state }) => state === wanted) ? true : null;
    }, REST_LIMIT_MS);
  }

  async zoneOf(name: string): Promise<string | undefined> {
    return (await this.client.listContainers(PAGE, '')).rows.find((row) => row.name === name)?.zone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.close();
    try {
      await this.engine[Symbol.asyncDispose]();
    } finally {
      await this.lab.dispose();
    }
  }
}

function every(names: readonly string[], step: number, from = 0): string[] {
  return names.filter((_, index) => index % step === from);
}

/** Everything that can happen to containers, and a look after each. */
async function lives(scene: Scene, image: string): Promise<readonly string[]> {
  const { engine } = scene;
  await engine.run('network', 'create', '--subnet', '10.99.1.0/24', 'one');
  await engine.run('network', 'create', '--ipv6', '--subnet', '10.99.2.0/24', '--subnet', 'fd00:99:2::/64', 'two');
  const names = Array.from({ length: SIZE }, (_, index) => `c${String(index)}`);
  for (const [index, name] of names.entries()) {
    const network = index % EVERY.host === EVERY.host - 1 ? 'host' : ['one', 'two'][index % 2] ?? '';
    const label = index % EVERY.labelled === 0 ? ['--label', 'org.bastionfirewall.zone=labelled'] : [];
    await engine.run('run', '-d', '--name', name, '--network', network, ...label, image);
  }
  await scene.rests('the start of all');
  assert.equal(await scene.zoneOf('c0'), 'labelled');
  assert.equal(await scene.zoneOf('c1'), '');
  const stopped = every(names, EVERY.stopped, 1);
  await engine.run('stop', '-t', '0', ...stopped);
  await scene.rests('a stop');
  await engine.run('kill', ...every(names.filter((name) => !stopped.includes(name)), EVERY.killed, 2));
  await scene.rests('a kill');
  const living = (): Promise<string[]> => engine.inspectRunning().then((all) => all.filter(({ HostConfig }) => HostConfig.NetworkMode !== 'host').map(({ Name }) => Name.replace(/^\//u, '')));
  const paused = every(await living(), EVERY.paused);
  await engine.run('pause', ...paused);
  await scene.rests('a pause');
  const renamed = every((await living()).filter((name) => !paused.includes(name)), EVERY.renamed);
  for (const name of renamed) await engine.run('rename', name, `${name}-mapped`);
  await scene.rests('new names');
  await engine.run('unpause', ...paused);
  await scene.rests('the end of the pause');
  for (const name of every(await living(), EVERY.moved)) {
    const { one } = (await engine.inspectRunning()).find(({ Name }) => Name.replace(/^\//u, '') === name)?.NetworkSettings.Networks ?? {};
    const [from, to] = one === undefined ? ['two', 'one'] : ['one', 'two'];
    await engine.run('network', 'connect', to, name);
    await scene.rests('a second network');
    await engine.run('network', 'disconnect', from, name);
  }
  await scene.rests('a move to another network');
  return renamed;
}

function lived(scene: Scene, engine: string, beganMs: number): void {
  assert.ok(scene.containers >= SIZE);
  mustHold({
    id: `containers-${engine.toLowerCase()}`, claim: `${engine}'s containers started, stopped, killed, paused, renamed, moved, the engine started again: what is known is what inspect says`,
    size: `${String(scene.containers)} containers, ${String(scene.points)} rest points`, undecided: null,
    figures: [`all of it took ${((performance.now() - beganMs) / 1000).toFixed(0)} s`],
  });
}

describe('containers', { skip }, () => {
  test('Docker: what the helper knows at each rest point is what docker inspect says', async (context) => {
    const beganMs = performance.now();
    await using scene = await Scene.make(context, 'docker');
    if (scene === null) return;
    const { engine } = scene;
    await engine.start();
    await engine.makeImage();
    await scene.state('connected');
    const [renamed = ''] = await lives(scene, TEST_IMAGE);
    assert.equal(await scene.zoneOf(`${renamed}-mapped`), Number(renamed.slice(1)) % EVERY.labelled === 0 ? 'labelled' : 'mapped');
    const all = (await engine.inspectRunning()).map(({ Id }) => Id);
    // A daemon that ends takes its containers with it.
    await engine.stop();
    await scene.state('absent');
    await engine.start();
    await scene.rests('a restart of the daemon');
    await engine.run('start', ...all);
    await scene.rests('their new start');
    await engine.run('rm', '-f', ...all);
    await scene.rests('the end of all');
    lived(scene, 'Docker', beganMs);
  });

  test('Podman: what the helper knows at each rest point is what podman inspect says', async (context) => {
    const beganMs = performance.now();
    await using scene = await Scene.make(context, 'podman');
    if (scene === null) return;
    const { engine } = scene;
    await engine.makeImage();
    await engine.start();
    await scene.state('connected');
    await lives(scene, TEST_IMAGE);
    // Its containers need no service; what happens while there is none is known afterwards.
    await engine.stop();
    const [first = '', ...rest] = (await engine.inspectRunning()).map(({ Id }) => Id);
    await engine.run('kill', first);
    await engine.start();
    await scene.rests('a restart of the service');
    await engine.run('rm', '-f', '-t', '0', ...rest);
    await scene.rests('the end of all');
    lived(scene, 'Podman', beganMs);
  });
});
