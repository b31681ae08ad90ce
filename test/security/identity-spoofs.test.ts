/** Ways to be taken for an allowed Flatpak or an allowed program, tried against the whole product with the real kernel. */
import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Lab } from '../lab/lab.ts';
import { clientOf, noLab } from '../integration/support.ts';

const APP = 'org.example.Tool';
const sandbox = existsSync('/usr/bin/bwrap') ? noLab() : 'needs bwrap (package bubblewrap)';
/** A connection that a rule does not allow is refused at once. Source: curl(1), exit codes. */
const CURL_REFUSED = 7;

/** A deployed application whose one program is curl. */
function deploy(folder: string): { readonly files: string; readonly program: string } {
  const files = join(folder, 'app', APP, 'x86_64/stable/a1/files');
  const program = join(files, 'bin/tool');
  mkdirSync(join(files, 'bin'), { recursive: true });
  copyFileSync('/usr/bin/curl', program);
  chmodSync(program, 0o755);
  return { files, program };
}

/** What runs a program as /app/bin/tool in a sandbox, the way Flatpak does: a root of its own, with the deployed files below /app. */
function sandboxed(files: string, url: string, more: readonly string[] = []): readonly string[] {
  return [
    'bwrap', '--ro-bind', '/usr', '/usr', '--ro-bind', '/etc', '/etc', '--symlink', 'usr/lib', '/lib', '--symlink', 'usr/lib64', '/lib64',
    '--ro-bind', files, '/app', '--dev', '/dev', '--proc', '/proc', ...more, '/app/bin/tool', '--silent', '--max-time', '10', url,
  ];
}

describe('an allowed Flatpak', { skip: sandbox }, () => {
  test('connects from its sandbox by the rule for its deployed file, and nothing that looks like it does', async (t) => {
    const installation = mkdtempSync(join(tmpdir(), 'bastion-flatpak-'));
    chmodSync(installation, 0o755);
    t.after(() => { rmSync(installation, { recursive: true }); });
    const { files, program } = deploy(installation);
    await using lab = await Lab.create({ defaultAction: 'deny', helperArguments: ['--flatpak', installation] });
    const client = clientOf(lab);
    t.after(() => { client.close(); });
    await client.addRule({ action: 'allow', path: program });
    const url = `http://${lab.peer4}/`;
    const own = await lab.run(sandboxed(files, url));
    assert.equal(own.status, 0, own.stderr);
    const fake = join(lab.folder, 'bin', 'files');
    mkdirSync(join(fake, 'bin'), { recursive: true });
    const copy = join(fake, 'bin/tool');
    copyFileSync('/usr/bin/curl', copy);
    chmodSync(copy, 0o755);
    await lab.peer.watch();
    const tries: readonly (readonly [string, readonly string[]])[] = [
      ['a copy below /app of another sandbox', sandboxed(fake, url, ['--setenv', 'FLATPAK_ID', APP])],
      ['a file mounted over the deployed one', sandboxed(files, url, ['--ro-bind', copy, '/app/bin/tool'])],
      ['a name in the environment', ['env', `FLATPAK_ID=${APP}`, 'container=flatpak', copy, '--silent', '--max-time', '5', url]],
      ['a mount over the deployed file itself', ['unshare', '-Urm', 'sh', '-c', `mount --bind ${copy} ${program} && exec ${program} --silent --max-time 5 ${url}`]],
      ['argv[0]', ['bash', '-c', `exec -a ${program} ${copy} --silent --max-time 5 ${url}`]],
    ];
    for (const [what, argv] of tries) {
      const spoof = await lab.run(argv);
      assert.equal(spoof.status, CURL_REFUSED, `${what}: ${spoof.stderr}`);
    }
    assert.equal((await lab.peer.counts()).of('syn/80'), 0);
    assert.equal((await lab.run(sandboxed(files, url))).status, 0);
  });
});
