/**
 * A day of a desktop's traffic, its events back to back: every program is counted as it counted itself, and the helper holds
 * no more in the evening than it did at noon.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { HelperClient } from '../../helper/contract/client.ts';
import type { Lab } from '../lab/lab.ts';
import { mustHold } from '../must-hold.ts';
import { DailyPrograms, allFlows, footprint } from './support-day.ts';
import type { Count, Footprint } from './support-day.ts';
import { NameLab } from './support-names.ts';
import { FULL_SIZE, copyInto, noLab, program, promptFor, until } from './support.ts';

const HOURS = 24;
/** The helper is started anew at these hours; from the last one on its memory is that of one process. */
const RESTARTS: readonly number[] = [2, 4, 6];
/** Tables and code are warm from here on. */
const NOON = 12;
const TIMES = FULL_SIZE ? 20 : 1;
/** Connections of an hour, of a program each. */
const PER_HOUR = { browser: 30, updater: 20, tracker: 10, game: 5, oneshots: 10 } as const;
const EVERY_MS = 5;
/** Long enough for an answer on a busy machine; what is not answered is refused in the time of the other programs. */
const PROMPT_TIMEOUT_S = 10;
const UNANSWERED_PORT = 13;
const SERVER_PORT = 8123;
/** Of one short connection, besides its text: headers, handshake, end, what is sent again. */
const OVERHEAD_BYTES = 1500;
/** See daily.c. */
const TEXT_BYTES = 64;
const ALLOWED = ['browser', 'updater', 'chat'] as const;
/** A helper that is starting is not there for a moment; a client tries again by itself. */
const HELPER_LIMIT_MS = 20_000;

const SETTINGS = `prompt_timeout_s = ${String(PROMPT_TIMEOUT_S)}

[safeguard]
rate = 5000
per_uid = 5000

[[profile]]
id = "work"
name = "Work"

[[profile]]
id = "home"
name = "Home"`;

class Day {
  readonly lab: Lab;
  readonly client: HelperClient;
  readonly programs: DailyPrograms;
  readonly oneshot: string;
  readonly footprints: Footprint[] = [];
  /** So often what PER_HOUR says was done. */
  times = 0;
  oneshots = 0;
  gamesRefused = 0;

  constructor(lab: Lab, client: HelperClient) {
    this.lab = lab;
    this.client = client;
    this.programs = new DailyPrograms(lab);
    this.oneshot = copyInto(lab, program('oneshot'), 'once');
  }

  async rules(): Promise<void> {
    for (const name of ALLOWED) await this.client.addRule({ id: name, action: 'allow', path: this.programs.pathOf(name) });
    await this.client.addRule({ id: 'once', action: 'allow', path: this.oneshot });
    await this.client.addRule({ id: 'tracker', action: 'deny', path: this.programs.pathOf('tracker') });
    await this.client.addRule({ id: 'game', action: 'allow', path: this.programs.pathOf('game') });
    await this.client.addRule({ id: 'no-game', action: 'deny', path: this.programs.pathOf('game'), profile: 'work', priority: 1 });
  }

  /** What runs in every hour, at the same time; `times` as often. */
  async traffic(hour: number, times: number): Promise<void> {
    const { peer4 } = this.lab;
    const visits = (count: number): readonly (string | number)[] => ['visit', peer4, 7, count * times, EVERY_MS];
    const once = String(PER_HOUR.oneshots * times);
    this.times += times;
    const [browser, updater, , game, sent] = await Promise.all([
      this.programs.run('browser', ['browse', peer4, 7, PER_HOUR.browser * times, EVERY_MS, peer4, 'many.lab.test']),
      this.programs.run('updater', visits(PER_HOUR.updater)),
      this.programs.run('tracker', visits(PER_HOUR.tracker)),
      this.programs.run('game', visits(PER_HOUR.game)),
      this.lab.run([this.oneshot, 'many', 'udp', peer4, '9', once, '0']),
    ]);
    for (const [name, count] of Object.entries({ browser, updater })) {
      assert.equal(count.refused, 0, `${name} was refused in hour ${String(hour)}: ${count.error}`);
    }
    assert.equal(sent.status, 0, sent.stderr);
    this.oneshots += PER_HOUR.oneshots * times;
    this.gamesRefused += game.refused;
    await until(`${String(this.oneshots)} datagrams by hour ${String(hour)}`, async () => ((await this.lab.peer.counts()).of('udp/9') >= this.oneshots ? true : null));
  }

  /** What somebody does at the screen, or the administrator, another thing each hour. */
  async event(hour: number): Promise<void> {
    if (RESTARTS.includes(hour)) {
      await this.lab.restartHelper();
      await until('the helper', () => this.client.ping().then(() => true, () => null), HELPER_LIMIT_MS);
      return;
    }
    if (hour % 4 === 0) await this.answered(hour);
    else if (hour % 4 === 2) await this.profile();
    // What is held while somebody pauses is let through: in the afternoon nobody does.
    else if (hour % 4 === 1 && hour < NOON) await this.paused(hour);
    else await this.edited(hour);
  }

  /** A program that nobody knows is asked about, and answered by turns. */
  async answered(hour: number): Promise<void> {
    const name = `stranger-${String(hour)}`;
    const run = this.programs.run(name, ['visit', this.lab.peer4, 7, 1, 0]);
    const { nonce } = await promptFor(this.client, this.programs.pathOf(name));
    const action = hour % 8 === 0 ? 'allow' : 'deny';
    await this.client.answer(nonce, { action, lifetime: 'once', scope: 'host' });
    const { opened, refused } = await run;
    assert.deepEqual([opened, refused], action === 'allow' ? [1, 0] : [0, 1], `${name} was told ${action}`);
  }

  /** While paused a program that nobody knows connects, and afterwards the same one is asked about again. */
  async paused(hour: number): Promise<void> {
    const name = `guest-${String(hour)}`;
    await this.client.pause(600);
    const { opened } = await this.programs.run(name, ['visit', this.lab.peer4, 7, 5, 1]);
    await this.client.resume();
    assert.equal(opened, 5);
    const run = this.programs.run(name, ['visit', this.lab.peer4, 7, 1, 0]);
    const { nonce } = await promptFor(this.client, this.programs.pathOf(name));
    await this.client.answer(nonce, { action: 'deny', lifetime: 'once', scope: 'host' });
    assert.equal((await run).refused, 1);
  }

  async profile(): Promise<void> {
    for (const [id, opened] of [['work', 0], ['home', 3]] as const) {
      await this.client.setProfile(id);
      const count = await this.programs.run('game', ['visit', this.lab.peer4, 7, 3, 0]);
      this.gamesRefused += count.refused;
      assert.equal(count.opened, opened, `in the profile ${id}`);
    }
  }

  /** A rule comes, is changed, and goes again. */
  async edited(hour: number): Promise<void> {
    const name = `tool-${String(hour)}`;
    const path = this.programs.pathOf(name);
    const tried = async (): Promise<number> => (await this.programs.run(name, ['visit', this.lab.peer4, 7, 3, 0])).opened;
    const id = await this.client.addRule({ action: 'deny', path });
    const opened = [await tried()];
    await this.client.updateRule(id, { action: 'allow' });
    opened.push(await tried());
    await this.client.removeRule(id);
    assert.deepEqual(opened, [0, 3]);
  }

  async serve(): Promise<void> {
    const done = await this.lab.runAtPeer([this.programs.pathOf('browser'), 'visit', this.lab.client4, String(SERVER_PORT), '3', '0']);
    assert.match(done.stdout, /^opened=3 refused=0/u);
  }
}

/** Everything that the program opened is in the history as connections that have ended, with bytes that can be those of its texts. */
async function sameInHistory(day: Day, name: string): Promise<void> {
  const { opened, sent, received } = day.programs.counted(name);
  const rows = await until(`the connections of ${name}`, async () => {
    // A further decision about an open connection has no bytes of its own.
    const found = (await allFlows(day.client, { path: day.programs.pathOf(name) }))
      .filter(({ protocol, action, sent_bytes: bytes }) => protocol === 'tcp' && action === 'allow' && bytes !== 0);
    return found.length >= opened && found.every(({ ended_ms: at }) => at !== undefined) ? found : null;
  }, 30_000);
  assert.equal(rows.length, opened, name);
  const sum = (bytes: (row: (typeof rows)[number]) => number | undefined): number => rows.reduce((all, row) => all + (bytes(row) ?? 0), 0);
  // The chat sends a packet for each text.
  const most = OVERHEAD_BYTES * (name === 'chat' ? sent / TEXT_BYTES : opened);
  for (const [inHistory, own] of [[sum((row) => row.sent_bytes), sent], [sum((row) => row.received_bytes), received]] as const) {
    assert.ok(inHistory > own && inHistory < own + most, `${name}: ${String(inHistory)} bytes for ${String(own)}`);
  }
}

/** No packet is counted twice, or not at all. */
async function countersAgree(client: HelperClient): Promise<void> {
  const { statistics } = await until('every packet to be decided', async () => {
    const status = await client.status();
    return status.statistics.held === 0 ? status : null;
  });
  assert.equal(statistics.packets, statistics.allowed + statistics.denied);
  const lost = [statistics.history_lost, statistics.queue_dropped, statistics.queue_overruns, statistics.default_verdicts, statistics.over_budget, statistics.memory_lost];
  assert.deepEqual(lost, lost.map(() => 0));
}

function wholeCounts(day: Day): Count {
  const { browser, updater } = PER_HOUR;
  for (const [name, tried] of [['browser', browser], ['updater', updater]] as const) {
    const { opened, refused } = day.programs.counted(name);
    assert.deepEqual([opened, refused], [tried * day.times, 0], name);
  }
  const browsed = day.programs.counted('browser');
  assert.equal(browsed.lookups, browsed.opened);
  assert.deepEqual([day.programs.counted('tracker').opened, day.programs.counted('tracker').refused], [0, PER_HOUR.tracker * day.times]);
  return browsed;
}

/** Nothing that is counted in pieces grows with the hours. */
function noGrowth(footprints: readonly Footprint[]): readonly string[] {
  const afternoon = footprints.slice(NOON);
  const [first, last] = [afternoon[0], afternoon.at(-1)];
  assert.ok(first !== undefined && last !== undefined);
  assert.ok(last.descriptors <= first.descriptors + 2, `${String(first.descriptors)} descriptors, then ${String(last.descriptors)}`);
  assert.ok(last.threads <= first.threads + 1, `${String(first.threads)} threads, then ${String(last.threads)}`);
  return [
    `memory of the helper: ${first.memory.toFixed(0)} MB at noon, ${last.memory.toFixed(0)} MB in the evening`,
    `descriptors: ${String(first.descriptors)}, then ${String(last.descriptors)}; threads: ${String(first.threads)}, then ${String(last.threads)}`,
    ...[...first.entries].map(([map, count]) => `kernel table ${map}: ${String(count)}, then ${String(last.entries.get(map))}`),
  ];
}

async function wholeDay(t: TestContext): Promise<void> {
  const names = await NameLab.create({ lab: { settings: SETTINGS } });
  t.after(() => names.dispose());
  const day = new Day(names.lab, names.client);
  await day.rules();
  const server = copyInto(day.lab, program('server'), 'shared-files');
  await day.client.addRule({ id: 'server', action: 'allow', path: server });
  const serving = day.lab.spawn([server, 'tcp', String(SERVER_PORT), 'here you are']);
  const endChat = await day.programs.stay('chat', [day.lab.peer4, 7, 20]);
  await day.lab.peer.watch();
  let ignored: Promise<Count> | null = null;
  for (let hour = 0; hour < HOURS; hour += 1) {
    if (hour === NOON) ignored = day.programs.run('ignored', ['visit', day.lab.peer4, UNANSWERED_PORT, 1, 0]);
    // A change of the rules makes the kernel forget what an earlier helper let it remember: only what it remembers goes on
    // while none is there.
    if (RESTARTS.includes(hour)) await day.traffic(hour, 1);
    await Promise.all([day.traffic(hour, TIMES), day.event(hour)]);
    await day.serve();
    day.footprints.push(await footprint(day.lab));
  }
  assert.equal((await ignored)?.refused, 1);
  const { opened: chats } = await endChat();
  serving.kill('SIGKILL');
  assert.equal(chats, 1);
  const { opened } = wholeCounts(day);
  const counts = await day.lab.peer.counts();
  const undecided = counts.of(`syn/${String(UNANSWERED_PORT)}`);
  assert.deepEqual([counts.lost, counts.of('udp/9'), undecided], [0, day.oneshots, 0]);
  for (const name of ALLOWED) await sameInHistory(day, name);
  await countersAgree(day.client);
  const figures = noGrowth(day.footprints);
  mustHold({
    id: 'day', claim: '24 hours of a desktop’s traffic, back to back',
    size: `${String(opened + day.programs.counted('updater').opened + day.oneshots)} allowed flows, ${String(RESTARTS.length)} restarts of the helper`,
    undecided: undecided,
    figures: [...figures, 'every connection is in the history, as often and as long as its program counted it'],
  });
}

describe('a day of a desktop', { skip: noLab() }, () => {
  test('everything is counted as its program counted it, and nothing grows', (t) => wholeDay(t));
});
