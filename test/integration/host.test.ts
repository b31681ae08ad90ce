/** `--host`: every command that does more than ask once, through ssh's place and a stdio bridge to a real helper. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Lab } from '../lab/lab.ts';
import type { Result } from '../lab/process.ts';
import { clientOf, noLab, until } from './support.ts';

const SSH = `#!/bin/sh
[ "$*" = "-xT -- alice@other.example systemd-stdio-bridge" ] || exit 9
exec systemd-stdio-bridge --bus-path="$OTHER"
`;
const FLOWS = 60;

describe('--host', { skip: noLab() }, () => {
  test('streams, imports, progress, trials and checks work as on this machine', async () => {
    await using lab = await Lab.create({ mode: 'learning' });
    const folder = mkdtempSync(join(tmpdir(), 'bastionctl-'));
    const there = (args: readonly string[], input?: string): Promise<Result> => lab.run(
      [join(lab.tree, 'build/bin/bastionctl'), '--host', 'alice@other.example', ...args],
      {
        as: 'root', ...(input === undefined ? {} : { input }),
        env: { PATH: `${folder}:/usr/sbin:/usr/bin:/sbin:/bin`, OTHER: lab.busAddress, DBUS_SYSTEM_BUS_ADDRESS: 'unix:path=/nonexistent' },
      },
    );
    const good = async (args: readonly string[], input?: string): Promise<string> => {
      const { status, stdout, stderr } = await there(args, input);
      assert.deepEqual([status, stderr.replace(/^Format bastion: .*\n/, '')], [0, ''], args.join(' '));
      return stdout;
    };
    const client = clientOf(lab);
    try {
      writeFileSync(join(folder, 'ssh'), SSH);
      chmodSync(join(folder, 'ssh'), 0o755);
      const many = `for i in $(seq ${String(FLOWS)}); do curl --silent --output /dev/null --max-time 2 "http://${lab.peer4}/" & done; wait`;
      await lab.run(['sh', '-c', many]);
      await lab.run(['curl', '--silent', `http://[${lab.peer6}]/`]);
      await until('the flows', async () => ((await client.queryFlows({}, 500, '')).rows.length > 0 ? true : null));

      const rows: unknown = JSON.parse(await good(['history', 'export', '--format', 'json']));
      assert.ok(Array.isArray(rows) && rows.length > 0);
      assert.match(await good(['history', 'export']), /^[a-z_]+,[^\n]+\n/);

      const file = join(folder, 'rules.toml');
      writeFileSync(file, '[[rule]]\nid = "from-here"\naction = "deny"\napplication = { path = "/usr/bin/env" }\n');
      await good(['rules', 'import', file, '--yes']);
      await good(['rules', 'import', '-', '--yes'], '[[rule]]\nid = "from-stdin"\naction = "deny"\napplication = { path = "/usr/bin/yes" }\n');
      const exported = await good(['rules', 'export']);
      for (const id of ['from-here', 'from-stdin']) assert.ok(exported.includes(`"${id}"`), id);

      const byName = await there(['history', '--user', 'nobody']);
      assert.deepEqual([byName.status, byName.stdout], [2, ''], 'the uid of that machine is not known here');

      await until('curl in the list', async () => ((await client.listApplications({}, 500, '')).rows.some(({ path }) => path.endsWith('/curl')) ? true : null));
      assert.match(await good(['applications', 'list', '--json']), /curl/);
      const rehashed = await there(['applications', 'rehash', '--all', '--yes']);
      assert.equal(rehashed.status, 0, rehashed.stderr);

      await good(['trial', '30s']);
      assert.match(await good(['status']), /On trial: +goes back to learning/);
      await good(['trial', '--back']);
      assert.match(await good(['selftest']), /^CHECK/);
    } finally {
      client.close();
      rmSync(folder, { recursive: true });
    }
  });
});
