/** Tricks with interpreters: another script, or none, under a rule for one script. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { noLab } from '../integration/support.ts';
import { SpoofBed } from './support-spoof.ts';
import type { Trick } from './support-spoof.ts';

const PYTHON = existsSync('/usr/bin/python3') ? realpathSync('/usr/bin/python3') : '';
const PERL = '/usr/bin/perl';
const skip = noLab() || (PYTHON === '' || !existsSync(PERL) ? 'needs python3 and perl of the distribution' : false);

/** Sends the datagram; `wait FILE` before it waits until FILE is there, as disguise.c does. */
const SENDS = [
  'import os, socket, sys, time',
  'words = sys.argv[1:]',
  'if words[0] == "wait":',
  '    with open(words[1] + ".ready", "a") as ready: ready.write(".")',
  '    while not os.path.exists(words[1]): time.sleep(0.002)',
  '    words = words[1:]',
  'to, port, tag = words[1:4]',
  'socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(f"lab-tag:{tag};".encode(), (to, int(port)))',
  '',
].join('\n');
const ANOTHER = `${SENDS}# another one\n`;
const PERL_SENDS = [
  'use IO::Socket::INET; my ($name, $to, $port, $tag) = @ARGV; $0 = $name;',
  'my $socket = IO::Socket::INET->new(Proto => "udp", PeerAddr => $to, PeerPort => $port); $socket->send("lab-tag:$tag;"); sleep 1;',
].join('\n');

/** $A is the allowed script, $P the interpreter, $E a script of the user's own. */
const OTHER_CODE: readonly Trick[] = [
  ['the code is on the command line and the script an argument', '$P -c "$CODE" $S $A'],
  ['the code comes from standard input', '$P - $S < $E'],
  ['another script has the allowed one as its argument', '$P $E $S $A'],
  ['another script, and the allowed one is named in argv[0]', `bash -c 'exec -a $A $P $E $S'`],
  ['a module, and the allowed script is an argument', 'cd $W; cp $E mod.py; $P -m mod $S $A'],
  ['a script that writes its command line anew', '$PERL $W/name.pl "$PERL $A" $TO $PORT $TAG'],
  ['a copy of the allowed script', 'cp $A $W/allowed.py; $P $W/allowed.py $S'],
  ['a symbolic link that leads to the allowed script later',
    'ln -sf $E $W/link.py; $P $W/link.py wait $W/go-$TAG $TO $PORT $TAG & ready $W/go-$TAG; ln -sf $A $W/link.py; touch $W/go-$TAG; wait'],
  ['a folder that becomes a link to the script\'s folder later',
    'mkdir -p $W/dir; cp $E $W/dir/allowed.py; $P $W/dir/allowed.py wait $W/go-$TAG $TO $PORT $TAG & ready $W/go-$TAG; rm -r $W/dir; ln -s $(dirname $A) $W/dir; touch $W/go-$TAG; wait'],
  ['another script mounted over the allowed one', `unshare -Urm sh -ec 'mount --bind $E $A; exec $P $A $S'`],
  ['the allowed script is looked up below another root', `unshare -Urm sh -ec 'mkdir -p $W/r; mount --rbind / $W/r; mount --bind $E $W/r$A; exec chroot $W/r $P $A $S'`],
  ['a first line that leads to another program', 'printf "#!%s\\n" $I > $W/allowed; chmod +x $W/allowed; $W/allowed $S'],
  ['a program of the user\'s own that has an interpreter\'s name', 'mkdir -p $W/own; cp $I $W/own/python3; $W/own/python3 $A $S'],
  ['the interpreter is started again by itself with other code', '$P -c "import os,sys; os.execv(sys.argv[1], [sys.argv[1], sys.argv[2]] + sys.argv[3:])" $P $E $S'],
];

describe('a rule for a script', { skip }, () => {
  for (const names of ['the script alone', 'interpreter and script'] as const) {
    test(`that names ${names} is for no other code of an interpreter`, async () => {
      await using bed = await SpoofBed.create({ env: { P: PYTHON, PERL, CODE: SENDS } });
      const folder = join(bed.lab.folder, 'bin/scripts');
      mkdirSync(folder);
      const allowed = join(folder, 'allowed.py');
      writeFileSync(allowed, SENDS);
      bed.env['A'] = allowed;
      bed.env['E'] = join(bed.work, 'other.py');
      writeFileSync(join(bed.work, 'other.py'), ANOTHER);
      writeFileSync(join(bed.work, 'name.pl'), PERL_SENDS);
      for (const path of [folder, allowed, join(bed.work, 'other.py')]) chmodSync(path, 0o755);
      await bed.allow({ script: allowed, ...(names === 'the script alone' ? {} : { path: PYTHON }) });
      await bed.withstands(OTHER_CODE, '$P $A $S');
    });
  }

  test('and for its hash is not for a script that was put in its place and taken away again', async () => {
    await using bed = await SpoofBed.create({ env: { P: PYTHON } });
    const mine = join(bed.work, 'mine.py');
    writeFileSync(mine, SENDS);
    writeFileSync(join(bed.work, 'other.py'), ANOTHER);
    execFileSync('chown', [String(bed.lab.user.uid), mine, join(bed.work, 'other.py')]);
    await bed.allow({ script: mine, path: PYTHON, sha256: createHash('sha256').update(SENDS).digest('hex') });
    await bed.withstands([
      ['another script stands there while the interpreter starts', 'mv mine.py kept; cp other.py mine.py; $P $W/mine.py wait $W/go $TO $PORT $TAG & ready $W/go; mv kept mine.py; touch go; wait'],
      ['the script is written anew after the start', 'cp mine.py kept; cat other.py > mine.py; $P $W/mine.py wait $W/go2 $TO $PORT $TAG & ready $W/go2; cat kept > mine.py; touch go2; wait'],
    ], 'sleep 0.1; $P $W/mine.py $S');
  });
});
