/** bastion.toml. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { areSameSettings, readSettings } from '../../../helper/adapters/rule-store/settings.ts';
import { printable } from '../../../helper/contract/printable.ts';
import { MODES } from '../../../helper/contract/vocabulary.ts';
import { ROOT } from '../../lab/process.ts';
import type { Target } from '../engine.ts';

const ALL = `mode = "learning"
default_action = "deny"
on_failure = "open"
prompt_timeout_s = 60
queue_num = 3
log_level = "debug"
default_zone = "home"
[history]
keep_days = 3
prometheus_file = "/run/a.prom"
[safeguard]
enabled = true
[[interface]]
name = "lan"
mac = "02:00:00:00:00:01"
[[zone]]
name = "home"
interfaces = ["eth*"]
inbound = "deny"
allow = ["22/tcp"]
[[list]]
name = "ads"
url = "https://example.org/list"
[containers]
docker = "/run/docker.sock"
[[container]]
name = "web"
zone = "home"
[control]
socket = "/run/bastion.sock"
`;

function run(input: Buffer): void {
  const text = input.toString('utf8');
  const read = readSettings(text);
  const again = readSettings(text);
  if (read.ok) {
    assert.ok(again.ok && areSameSettings(read.settings, again.settings));
    const { settings } = read;
    assert.ok(MODES.includes(settings.mode) && settings.promptTimeoutMs > 0 && settings.promptTimeoutMs <= 3_600_000);
    assert.ok(settings.queueNumber >= 0 && settings.queueNumber <= 65_535);
    return;
  }
  assert.ok(read.problems.length > 0);
  for (const { line, column, message } of read.problems) {
    assert.ok(line >= 1 && column >= 1 && message.length < 2000, message);
    assert.equal(printable(message), message, 'a message is one line that steers no terminal');
  }
}

export const target: Target = {
  name: 'settings', run, maxBytes: 4096,
  seeds: [ALL, readFileSync(join(ROOT, 'data/bastion.toml'), 'utf8').slice(0, 4096), '[[profile]]\nname = "away"\nzones = ["home"]\n'],
  dictionary: [
    '[history]\n', '[safeguard]\n', '[[interface]]\n', '[[profile]]\n', '[[zone]]\n', '[[list]]\n', '[containers]\n', '[[container]]\n', '[control]\n', '[zone.set]\n', 'sets = ["inet a b"]\n', 'mode = "enforcing"\n',
    'forwarded = "drop"\n', 'untracked = "pass"\n', 'require_kernel_identity = true\n', 'max_mb = ', 'names = false\n', 'interfaces = []\n', 'address = "192.0.2.1"\n', '"""', "'''", '= inf', '= nan', '= 0x7fffffffffffffff', '#',
  ],
};
