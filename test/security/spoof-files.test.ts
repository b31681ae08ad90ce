/** Tricks with the file itself: replaced, rewritten, copied, under rules for a path, a hash and a package. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFileSync, chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { noLab, program, until } from '../integration/support.ts';
import { SpoofBed } from './support-spoof.ts';
import type { Trick } from './support-spoof.ts';

function digest(algorithm: 'md5' | 'sha256', path: string): string {
  return createHash(algorithm).update(readFileSync(path)).digest('hex');
}

/** Another content of the same program. */
const CHANGED = 'cp $I $W/other; echo changed >> $W/other';

/** $M is a program that the user owns and that is allowed by its path; it is put back after each trick. */
const OWN_FILE: readonly Trick[] = [
  ['another file is renamed over the program\'s', `${CHANGED}; mv $W/other $M; $M $S`],
  ['the file is written anew in place', `${CHANGED}; cat $W/other > $M; $M $S`],
  ['the file is written anew and its times are put back', `${CHANGED}; touch -r $M $W/stamp; cat $W/other > $M; touch -r $W/stamp $M; $M $S`],
  ['the file is replaced, and put back before anybody can look', `${CHANGED}; cp -p $M $W/kept; mv $W/other $M; $M wait $W/go $TO $PORT $TAG & ready $W/go; mv $W/kept $M; touch $W/go; wait`],
  ['the program of another file runs on after that file was removed and the allowed one stands there again',
    `${CHANGED}; cp -p $M $W/kept; rm $M; mv $W/other $M; $M wait $W/go2 $TO $PORT $TAG & ready $W/go2; rm $M; mv $W/kept $M; touch $W/go2; wait`],
  ['the path is a symbolic link to another program', `${CHANGED}; rm $M; ln -s $W/other $M; $M $S`],
  ['a folder of the path is a symbolic link', `mkdir $W/else; cp $I $W/else/mine; echo changed >> $W/else/mine; mv $W/bin $W/was; ln -s $W/else $W/bin; $M $S; rm $W/bin; mv $W/was $W/bin`],
];

describe('a program that its user can replace, allowed by its path', { skip: noLab() }, () => {
  test('is not allowed as another content, however that came there', async () => {
    await using bed = await SpoofBed.create();
    mkdirSync(join(bed.work, 'bin'));
    const mine = join(bed.work, 'bin/mine');
    const putBack = async (): Promise<void> => {
      await bed.script(`rm -rf $W/bin $W/other $W/else; mkdir $W/bin; cp $V ${mine}; sleep 0.1`, 0, 'none');
    };
    execFileSync('chown', [String(bed.lab.user.uid), join(bed.work, 'bin')]);
    await putBack();
    await bed.allow({ path: mine });
    for (const trick of OWN_FILE) {
      await putBack();
      await bed.passes(`${mine} $S`, 'before');
      await known(bed, mine, digest('sha256', mine));
      await bed.fails(trick, { env: { M: mine } });
    }
  });
});

/** The registry knows what the program's file held when it was first seen. */
async function known(bed: SpoofBed, path: string, sha256: string): Promise<void> {
  await until('the program in the registry', async () => {
    const { rows } = await bed.client.listApplications({}, 100, '');
    return rows.some((row) => row.path === path && row.known_sha256 === sha256) ? true : null;
  });
}

const COPIES: readonly Trick[] = [
  ['a copy with one more byte', 'cp $V $W/more; printf x >> $W/more; sleep 0.1; $W/more $S'],
  ['a copy with one other byte', 'cp $V $W/one; printf x | dd of=$W/one bs=1 seek=9 conv=notrunc 2>/dev/null; sleep 0.1; $W/one $S'],
  ['a copy from a file system of the user\'s own', `unshare -Urm sh -ec 'mount -t tmpfs none /mnt; cp $I /mnt/victim; exec /mnt/victim $S'`],
];

describe('a rule for a hash', { skip: noLab() }, () => {
  test('is for every copy with that content, and for no other content', async () => {
    await using bed = await SpoofBed.create({ distinct: true });
    await bed.allow({ sha256: digest('sha256', bed.victim) });
    await bed.withstands(COPIES);
    await bed.passes('cp $V $W/copy; sleep 0.1; $W/copy $S', 'copy');
  });

  test('is not for a program whose file was given the allowed content after it had started', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'bastion-spoof-'));
    t.after(() => { rmSync(folder, { recursive: true }); });
    const spoof = join(folder, 'spoof');
    execFileSync('gcc', ['-O2', '-Wall', '-static', '-no-pie', '-o', spoof, join(import.meta.dirname, '../integration/support-native/spoof.c')]);
    await using bed = await SpoofBed.create({ distinct: true });
    await bed.allow({ sha256: digest('sha256', bed.victim) });
    chmodSync(folder, 0o755);
    await bed.withstands([
      ['it says that the allowed file is its executable', `cp ${spoof} $W/own; unshare -Ur $W/own $V $TO $PORT "lab-tag:$TAG;"`],
      ['a child in a user namespace says so for it, and it stays where it was', `cp ${spoof} $W/lent; $W/lent $V $TO $PORT "lab-tag:$TAG;" lent`],
      ['its own file gets the allowed content while it says that another one is its executable',
        `cp ${spoof} $W/mine; exec $W/mine /bin/true $TO $PORT "lab-tag:$TAG;" rewritten $V`],
    ]);
  });
});

describe('a rule for a package', { skip: noLab() }, () => {
  test('is for the file of that package at its place', async (t) => {
    const database = mkdtempSync(join(tmpdir(), 'bastion-dpkg-'));
    t.after(() => { rmSync(database, { recursive: true }); });
    const folder = join(database, 'bin');
    for (const one of [folder, join(database, 'info')]) mkdirSync(one);
    chmodSync(database, 0o755);
    const packaged = join(folder, 'tool');
    copyFileSync(program('disguise'), packaged);
    appendFileSync(packaged, 'packaged');
    chmodSync(packaged, 0o755);
    writeFileSync(join(database, 'lock'), '');
    writeFileSync(join(database, 'info/tool.list'), `/.\n${packaged}\n`);
    writeFileSync(join(database, 'info/tool.md5sums'), `${digest('md5', packaged)}  ${packaged.slice(1)}\n`);
    const before = Date.now() / 1000 - 60;
    utimesSync(join(database, 'info'), before, before);
    await using bed = await SpoofBed.create({ lab: { helperArguments: ['--dpkg', database] } });
    await bed.allow({ package: 'tool' });
    await bed.withstands([
      ['a copy elsewhere', `cp ${packaged} $W/tool; $W/tool $S`],
      ['another program mounted over the packaged one', `unshare -Urm sh -ec 'mount --bind $I ${packaged}; exec ${packaged} $S'`],
      ['a database of the user\'s own in a mount namespace', `unshare -Urm sh -ec 'mount -t tmpfs none ${join(database, 'info')}; echo $I > ${join(database, 'info/tool.list')}; exec $I $S'`],
    ], `${packaged} $S`);
    assert.equal((await bed.lab.run(['test', '-w', packaged])).status, 1, 'the user cannot write the packaged file');
  });
});
