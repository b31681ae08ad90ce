/**
 * The real helper with what its unit leaves it: the capabilities, no new privileges, a file system that is read-only but where it
 * has to write, and read-only cgroups.
 */
import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { cgroupRoot } from '../../helper/adapters/data-path.ts';
import type { NetworkEngine } from '../../helper/contract/types.ts';
import { Lab } from '../lab/lab.ts';
import { ROOT } from '../lab/process.ts';
import { described, idOf, StandIn } from '../unit/containers-support.ts';
import { clientOf, copyInto, noLab, until } from './support.ts';

/** $1: the cgroups; $2: the capabilities; then the helper with --config LAB/config and the rest. */
const CONFINE = `set -e
cgroups=$1; rights=$2; lab=\${5%/config}; shift 2
mount --make-rprivate /
touch /run/xtables.lock
for path in "$lab" /run/xtables.lock; do mount --rbind "$path" "$path"; done
mount -o remount,bind,ro "$cgroups"
mount -o remount,bind,ro /
if touch /etc/bastion-is-writable 2>/dev/null; then echo 'not confined' >&2; exit 1; fi
exec setpriv --no-new-privs --bounding-set="$rights" --inh-caps="$rights" -- "$@"`;

/** As setpriv takes them. */
function rightsOfUnit(): string {
  const unit = readFileSync(join(ROOT, 'data/systemd/bastion-firewall.service'), 'utf8');
  const names = [...unit.matchAll(/^CapabilityBoundingSet=(.+)$/gmu)].flatMap(([, line = '']) => line.split(' '));
  assert.ok(names.length > 0 && names.every((name) => /^CAP_[A-Z_]+$/u.test(name)), names.join(' '));
  return ['-all', ...names.map((name) => `+${name.slice('CAP_'.length).toLowerCase()}`)].join(',');
}

function confined(backend: 'iptables-nft' | 'iptables-legacy'): Promise<Lab> {
  const helper = join(ROOT, 'build/bin/bastion-helper');
  return Lab.create({
    backend, defaultAction: 'allow',
    helperProgram: ['unshare', '--mount', 'sh', '-c', CONFINE, 'sh', cgroupRoot() ?? '', rightsOfUnit(), helper],
  });
}

async function fetches(path: string, lab: Lab): Promise<number | null> {
  return (await lab.run([path, '--silent', '--max-time', '20', '--output', '/dev/null', `http://${lab.peer4}/`])).status;
}

describe('the rights of the unit', { skip: noLab() }, () => {
  for (const backend of ['iptables-nft', 'iptables-legacy'] as const) {
    test(`${backend}: the helper protects, decides by program, writes its files, and goes off and on again`, async () => {
      await using lab = await confined(backend);
      const client = clientOf(lab);
      try {
        assert.deepEqual((await client.status()).degradedReasons, []);
        assert.ok((await client.selfTest()).every(({ ok }) => ok));
        const [allowed, denied] = ['allowed', 'denied'].map((name) => copyInto(lab, '/usr/bin/curl', name)) as [string, string];
        await client.addRule({ action: 'allow', path: allowed });
        await client.addRule({ action: 'deny', path: denied });
        assert.equal(await fetches(allowed, lab), 0);
        assert.notEqual(await fetches(denied, lab), 0);
        await client.off();
        assert.equal(await fetches(denied, lab), 0);
        await client.setMode('enforcing');
        assert.notEqual(await fetches(denied, lab), 0);
      } finally {
        client.close();
      }
    });
  }

  test('an engine of root is asked; that of a user is forbidden in words until its socket lets root in, and then counts as his', async () => {
    await using lab = await confined('iptables-nft');
    await using engine = new StandIn();
    const client = clientOf(lab);
    try {
      const id = idOf(1);
      engine.containers.set(id, described(id));
      const sockets = { docker: join(lab.folder, 'docker.sock'), podman: join(lab.folder, 'theirs/podman.sock') };
      await using theirs = new StandIn();
      theirs.containers.set(idOf(2), described(idOf(2), { name: 'mine' }));
      mkdirSync(join(lab.folder, 'theirs'));
      await engine.listenAt(sockets.docker);
      await theirs.listenAt(sockets.podman);
      chmodSync(sockets.docker, 0o660);
      chmodSync(sockets.podman, 0o600);
      for (const path of [sockets.podman, join(lab.folder, 'theirs')]) chownSync(path, lab.user.uid, lab.user.gid);
      chmodSync(join(lab.folder, 'theirs'), 0o700);
      const path = join(lab.configDir, 'bastion.toml');
      writeFileSync(path, `${readFileSync(path, 'utf8')}\n[containers]\ndocker = "${sockets.docker}"\npodman = "${sockets.podman}"\n`);
      await client.reload();
      const engines = (wanted: string): Promise<readonly NetworkEngine[]> => until(`the engines to be ${wanted}`, async () => {
        const found = (await client.network()).engines ?? [];
        return found.map(({ state }) => state).join() === wanted ? found : null;
      }, 60_000);
      const [, forbidden] = await engines('connected,forbidden');
      assert.match(forbidden?.problem ?? '', /SocketMode=0666/u);
      chmodSync(sockets.podman, 0o666);
      await engines('connected,connected');
      const { rows } = await client.listContainers(100, '');
      assert.deepEqual(rows.map(({ name, addresses }) => [name, addresses]), [['web', ['bridge 172.17.0.2/16']], ['mine', []]]);
    } finally {
      client.close();
    }
  });
});
