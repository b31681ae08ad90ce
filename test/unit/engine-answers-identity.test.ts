/** Rules made by answers name programs by what survives their updates, cover nothing else, and reach children only when told. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BastionError } from '../../helper/contract/errors.ts';
import type { Ancestor, Identity, Owner } from '../../helper/contract/vocabulary.ts';
import { Rig } from './engine-support.ts';
import type { AskChange } from './engine-support.ts';
import { owner } from './prompt-support.ts';

/** Every file is another one: its inode is its number. */
function running(inode: number, identity: Identity, more: AskChange['attribution'] = {}): AskChange {
  const executable = { ...owner().executable, inode: BigInt(inode) };
  return { path: identity.path, owner: owner({ pid: inode, executable }), attribution: { identity, confidence: 'certain', ...more } };
}

function verdictOf(rig: Rig, change: AskChange): string | undefined {
  return rig.dataPath.last(rig.ask(change)).verdict;
}

interface Case {
  readonly what: string;
  readonly asked: AskChange;
  /** The same program after an update. */
  readonly updated: AskChange;
  /** Others, one of them as near as can be. */
  readonly others: readonly AskChange[];
}

const PYTHON = '/usr/bin/python3.11';
const script = (path: string | undefined, evidence: 'exec' | 'claimed' = 'exec', python = PYTHON): Identity => ({
  path: python, package: 'interpreter', interpreter: true, ...(path === undefined ? {} : { script: path, scriptEvidence: evidence }),
});
const inFlatpak = (commit: string): string => `/var/lib/flatpak/app/org.example.Mail/x86_64/stable/${commit}/files/bin/mail`;
const appImage = { confidence: 'likely', claimedPath: '/tmp/.mount_Draw/usr/bin/draw' } as const;

const CASES: readonly Case[] = [
  {
    what: 'a Flatpak',
    asked: running(1, { path: inFlatpak('aaa'), flatpak: 'org.example.Mail' }),
    updated: running(2, { path: inFlatpak('bbb'), flatpak: 'org.example.Mail' }),
    others: [running(3, { path: inFlatpak('aaa') }), running(4, { path: inFlatpak('aaa'), flatpak: 'org.example.Mail2' })],
  },
  {
    what: 'a Snap',
    asked: running(1, { path: '/snap/chat/7/bin/chat', snap: 'chat' }),
    updated: running(2, { path: '/snap/chat/8/bin/chat', snap: 'chat' }),
    others: [running(3, { path: '/snap/chat/7/bin/chat' }), running(4, { path: '/snap/chat/7/bin/chat', snap: 'chatter' })],
  },
  {
    what: 'an AppImage',
    asked: running(1, { path: null, appImage: '/home/alice/Draw.AppImage' }, appImage),
    updated: running(2, { path: null, appImage: '/home/alice/Draw.AppImage' }, appImage),
    others: [running(3, { path: null, appImage: '/home/alice/Draw2.AppImage' }, appImage), running(4, { path: null }, { ...appImage, confidence: 'unknown' })],
  },
  {
    what: 'a script',
    asked: running(1, script('/home/alice/backup.py')),
    updated: running(2, script('/home/alice/backup.py', 'exec', '/usr/bin/python3.12')),
    others: [
      running(1, script(undefined)), running(1, script('/home/alice/other.py')), running(1, script('/home/alice/backup.py', 'claimed')),
      running(5, { path: '/home/alice/backup.py' }), running(6, { path: '/tmp/python3.11', interpreter: true, script: '/home/alice/backup.py', scriptEvidence: 'exec' }),
    ],
  },
  {
    what: 'a program of its own',
    asked: running(1, { path: '/usr/bin/curl', package: 'curl', integrity: 'valid' }),
    updated: running(2, { path: '/usr/bin/curl', package: 'curl', integrity: 'valid' }),
    others: [running(3, { path: '/usr/bin/curl2', package: 'curl' }), running(4, { path: '/usr/bin/curl', integrity: 'changed' })],
  },
];

describe('an answer for good', () => {
  for (const { what, asked, updated, others } of CASES) {
    for (const children of [false, true]) {
      test(`to ${what}${children ? ' and what it starts' : ''} survives its update, and lets nothing else through`, async () => {
        const rig = Rig.with();
        const first = rig.ask(asked);
        const answer = { action: 'allow', lifetime: 'always', scope: 'any', ...(children ? { include_children: true } : {}) } as const;
        await rig.engine.answer(rig.nonce(), answer);
        assert.equal(rig.dataPath.last(first).verdict, 'accept');
        assert.equal(verdictOf(rig, updated), 'accept');
        for (const other of others) assert.equal(verdictOf(rig, other), 'hold', JSON.stringify(other.attribution));
      });
    }
  }
});

test('a changed program is asked about anew, and can be answered for this once only', async () => {
  const rig = Rig.with();
  rig.ask(running(1, { path: '/usr/bin/curl' }));
  await rig.engine.answer(rig.nonce(), { action: 'allow', lifetime: 'always', scope: 'any' });
  const changed = rig.ask(running(1, { path: '/usr/bin/curl', integrity: 'changed' }));
  assert.equal(rig.dataPath.last(changed).verdict, 'hold');
  const [view] = rig.engine.prompts();
  assert.deepEqual([view?.info.integrity, view?.info.lifetimes, view?.info.default_lifetime], ['changed', ['once'], 'once']);
  for (const lifetime of ['process', 'session', 'boot', 'always'] as const) {
    await assert.rejects(rig.engine.answer(rig.nonce(), { action: 'allow', lifetime }), BastionError, lifetime);
  }
  await rig.engine.answer(rig.nonce(), { action: 'allow', lifetime: 'once' });
  assert.equal(rig.dataPath.last(changed).verdict, 'accept');
});

test('no flow joins a prompt that says better of its program than is known of it', async () => {
  const good = running(1, { path: '/usr/bin/curl', integrity: 'valid' });
  const pairs: readonly (readonly [AskChange, AskChange])[] = [
    [good, running(2, { path: '/usr/bin/curl', integrity: 'changed' })],
    [good, running(3, { path: '/usr/bin/curl' }, { confidence: 'likely', evidence: 'sock_diag' })],
    [running(4, script('/home/alice/a.py', 'claimed')), running(4, script('/home/alice/b.py', 'claimed'))],
    [running(4, script('/home/alice/a.py', 'claimed')), running(4, script(undefined))],
  ];
  for (const [first, second] of pairs) {
    const rig = Rig.with();
    const [one, other] = [rig.ask(first), rig.ask(second)];
    const { flows } = await rig.engine.answer(rig.nonce(), { action: 'allow', lifetime: 'once' });
    assert.deepEqual([flows, rig.dataPath.last(one).verdict, rig.dataPath.last(other).verdict], [1, 'accept', 'hold']);
  }
});

describe('what a program starts', () => {
  const MAKE = '/usr/bin/make';
  const startedBy = (identity: Identity | undefined, lineage: 'kernel' | 'procfs' = 'kernel', by: Partial<Owner> = {}): AskChange => {
    const ancestor: Ancestor = { pid: 7, path: identity?.path ?? null, command: 'make', ...(identity === undefined ? {} : { identity }) };
    const child = running(9, { path: '/usr/bin/curl' }, { ancestors: [ancestor], lineage });
    return { ...child, owner: { ...child.owner, ...by } };
  };
  const allow = { action: 'allow', lifetime: 'always', scope: 'host' } as const;

  test('is covered only when the answer says so, for the same user, as the kernel recorded it', async () => {
    for (const children of [false, true]) {
      const rig = Rig.with();
      rig.ask(running(1, { path: MAKE }));
      await rig.engine.answer(rig.nonce(), { ...allow, include_children: children });
      assert.equal(verdictOf(rig, startedBy({ path: MAKE })), children ? 'accept' : 'hold');
      for (const other of [
        startedBy({ path: '/usr/bin/other' }), startedBy({ path: MAKE }, 'procfs'), startedBy(undefined), startedBy({ path: MAKE, integrity: 'changed' }),
        startedBy({ path: MAKE }, 'kernel', { uid: 1001 }),
      ]) assert.equal(verdictOf(rig, other), 'hold');
    }
  });

  test('of a script is covered, and not what the interpreter starts with another one', async () => {
    const rig = Rig.with();
    rig.ask(running(1, script('/home/alice/build.sh', 'exec', '/usr/bin/dash')));
    await rig.engine.answer(rig.nonce(), { ...allow, include_children: true });
    assert.equal(verdictOf(rig, startedBy(script('/home/alice/build.sh', 'exec', '/usr/bin/bash'))), 'accept');
    const imitator: Identity = { path: '/tmp/bash', interpreter: true, script: '/home/alice/build.sh', scriptEvidence: 'exec' };
    for (const other of [script(undefined), script('/home/alice/else.sh'), script('/home/alice/build.sh', 'claimed'), imitator]) {
      assert.equal(verdictOf(rig, startedBy(other)), 'hold');
    }
  });

  test('cannot be covered for once, for one process, for the kernel, or where no rule can name the program', async () => {
    const rig = Rig.with();
    const refused = async (change: AskChange, lifetime: 'once' | 'process' | 'always', why: RegExp): Promise<void> => {
      const id = rig.ask(change);
      await assert.rejects(rig.engine.answer(rig.nonce(), { action: 'allow', lifetime, scope: 'any', include_children: true }), why);
      assert.equal(rig.dataPath.last(id).verdict, 'hold', 'the prompt is still there');
      rig.engine.onEnded([id]);
    };
    await refused(running(1, { path: MAKE }), 'once', /not with the lifetime 'once'/);
    await refused(running(1, { path: MAKE }), 'process', /not with the lifetime 'process'/);
    await refused(running(1, { path: 'kernel' }), 'always', /could not be named/);
    await refused(running(1, script(undefined)), 'always', /this prompt offers once, process/);
  });

  test('is told with the scripts that the kernel recorded, never with those that are claimed', () => {
    const told = (['exec', 'claimed'] as const).map((evidence) => {
      const rig = Rig.with();
      rig.ask(startedBy(script('/home/alice/build.sh', evidence, '/usr/bin/dash')));
      return rig.engine.prompts()[0]?.info.ancestors;
    });
    const plain = { pid: 7, path: '/usr/bin/dash', command: 'make' };
    assert.deepEqual(told, [[{ ...plain, script: '/home/alice/build.sh' }], [plain]]);
  });
});
