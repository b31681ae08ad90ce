/** An ordinary user tries to be matched by the rule for one program with another one: by its path, and by its hash. */
import { describe, test } from 'node:test';
import { noLab } from '../integration/support.ts';
import { SpoofBed } from './support-spoof.ts';
import type { Trick } from './support-spoof.ts';

/** Its own user and mount namespace, where it is root. */
const OWN = 'unshare -Urm sh -ec';

const LOOKS: readonly Trick[] = [
  ['argv[0] is the allowed path', `bash -c 'exec -a "$V" "$I" $S'`],
  ['the command name is the allowed one', '$I command victim $TO $PORT $TAG'],
  ['the command line is written over after the start', '$I arguments "$V send x y" $TO $PORT $TAG'],
  ['a hard link with the allowed name', 'mkdir -p $W/bin; ln $I $W/bin/victim 2>/dev/null || cp $I $W/bin/victim; $W/bin/victim $S'],
  ['a copy with the allowed name', 'cp $I $W/victim; $W/victim $S'],
  ['a symbolic link with the allowed name', 'ln -s $I $W/linked; $W/linked $S'],
  ['a file without a name (memfd)', '$I memory $TO $PORT $TAG'],
  ['an empty environment, and one that names a Flatpak', 'env -i $I $S; env -i FLATPAK_ID=org.example.Tool container=flatpak $I $S'],
];

const NAMESPACES: readonly Trick[] = [
  ['a bind mount over the allowed file', `${OWN} 'mount --bind $I $V; exec $V $S'`],
  ['a bind mount over the folder of the allowed file', `${OWN} 'mkdir -p $W/fake; cp $I $W/fake/victim; mount --bind $W/fake $(dirname $V); exec $V $S'`],
  ['the same path below another root', `${OWN} 'mkdir -p $W/root$(dirname $V); cp $I $W/root$V; mount --rbind / $W/root; mount --bind $I $W/root$V; exec chroot $W/root $V $S'`],
  ['the same path on a tmpfs', `${OWN} 'cp $I /dev/shm/kept-$TAG; mount -t tmpfs none $(dirname $V); cp /dev/shm/kept-$TAG $V; rm /dev/shm/kept-$TAG; exec $V $S'`],
  ['an overlay whose upper layer has the intruder', [
    OWN, `'mkdir -p $W/up $W/tmp; mount -t tmpfs none $W/tmp; mkdir $W/tmp/upper $W/tmp/work; cp $I $W/tmp/upper/victim`,
    `mount -t overlay -o lowerdir=$(dirname $V),upperdir=$W/tmp/upper,workdir=$W/tmp/work,userxattr none $(dirname $V); exec $V $S'`,
  ].join(' ').replace('victim mount', 'victim; mount')],
  ['an overlay whose lower layer has the intruder under the allowed name', [
    OWN, `'mkdir -p $W/tmp2; mount -t tmpfs none $W/tmp2; mkdir $W/tmp2/lower; cp $I $W/tmp2/lower/victim;`,
    `mount -t overlay -o lowerdir=$W/tmp2/lower:$(dirname $V) none $(dirname $V); exec $V $S'`,
  ].join(' ')],
  ['a folder that imitates a mounted snap', `${OWN} 'mount -t tmpfs none /mnt; mkdir -p /mnt/snap/victim/1; cp $I /mnt/snap/victim/1/victim; exec /mnt/snap/victim/1/victim $S'`],
  ['a file that says it is a Flatpak\'s', `${OWN} 'mount -t tmpfs none /mnt; echo "[Application]" > $W/.flatpak-info; cp $I /mnt/tool; FLATPAK_ID=org.example.Tool exec /mnt/tool $S'`],
  ['a process id that was the allowed program\'s', `unshare -Urpf --mount-proc sh -c 'echo 300 > /proc/sys/kernel/pid_max 2>/dev/null; $V send 127.0.0.1 9 x; i=0; while [ $i -lt 400 ]; do /bin/true; i=$((i+1)); done; exec $I $S'`],
];

describe('a rule for a path', { skip: noLab() }, () => {
  for (const [group, tricks] of [['looks', LOOKS], ['namespaces', NAMESPACES]] as const) {
    test(`is for that program alone, whatever another one ${group === 'looks' ? 'looks like' : 'mounts in a namespace of its own'}`, async () => {
      await using bed = await SpoofBed.create();
      await bed.allow({ path: bed.victim });
      await bed.withstands(tricks);
    });
  }
});
