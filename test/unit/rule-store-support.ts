/** A rule store on folders of its own, with the real readers of text forms. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { createRuleStore } from '../../helper/adapters/rule-store.ts';
import type { RuleStoreOptions, RuleTextParsers } from '../../helper/adapters/rule-store.ts';
import { ruleTextParsers } from '../../helper/parsers.ts';
import type { Logger, NewRule, RuleStore } from '../../helper/ports.ts';

export const parsers: RuleTextParsers = ruleTextParsers;
export const silent: Logger = { log: () => undefined, setLevel: () => undefined };

/** Noon of 2026-11-21, UTC. */
export const NOW_MS = 1_795_262_400_000;

export interface StoreFixture {
  readonly root: string;
  readonly rulesDir: string;
  readonly userFile: string;
  readonly store: ReturnType<typeof createRuleStore>;
  /** Another store on the same folders, as after a restart. */
  readonly restarted: (options?: Partial<RuleStoreOptions>) => ReturnType<typeof createRuleStore>;
  readonly write: (name: string, text: string | Uint8Array) => Promise<void>;
  readonly userText: () => Promise<string>;
}

export async function makeStore(context: TestContext, options: Partial<RuleStoreOptions> = {}): Promise<StoreFixture> {
  const root = await mkdtemp(join(tmpdir(), 'bastion-store-'));
  context.after(() => rm(root, { recursive: true, force: true }));
  const dirs = { configDir: join(root, 'etc'), vendorDir: join(root, 'vendor'), stateDir: join(root, 'state') };
  const rulesDir = join(dirs.configDir, 'rules.d');
  for (const folder of [...Object.values(dirs), rulesDir]) await mkdir(folder, { recursive: true, mode: 0o755 });
  const make = (more: Partial<RuleStoreOptions> = {}): ReturnType<typeof createRuleStore> => createRuleStore({
    ...dirs, parsers, logger: silent,
    lookupUser: (name) => Promise.resolve(name === 'alice' ? 1000 : null),
    clock: { bootNs: () => 0n, wallMs: () => NOW_MS },
    ...options, ...more,
  });
  const userFile = join(rulesDir, '50-user.toml');
  return {
    root, rulesDir, userFile,
    store: make(),
    restarted: make,
    write: (name, text) => writeFile(join(root, name), text, { mode: 0o640 }),
    userText: () => readFile(userFile, 'utf8'),
  };
}

export function newRule(change: Partial<NewRule> & { readonly id: string }): NewRule {
  return {
    name: '', action: 'allow', enabled: true, path: '/usr/bin/example', address: '', port: '', protocol: '', user: '',
    lifetime: 'always', schedule: '', priority: 0, group: '', ...change,
  };
}

/** `file:line:column message` of each load error, folders left out. */
export async function complaints(store: RuleStore): Promise<string[]> {
  const { errors } = await store.load();
  return errors.map(({ file, line, column, message }) => `${file.split('/').at(-1) ?? ''}:${String(line)}:${String(column)} ${message}`);
}

/** Ids in force, with what they do. */
export async function inForce(store: RuleStore): Promise<string[]> {
  const { rules } = await store.load();
  return rules.map((rule) => `${rule.id} ${rule.action}${rule.enabled ? '' : ' (off)'}`);
}
