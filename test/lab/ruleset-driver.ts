/**
 * Runs the netfilter adapter in the namespace that it was started in: one JSON request a line on stdin, one JSON answer a
 * line on stdout. `[backend, 'apply', spec]`, or `check`, `mend`, `remove`; answers `{ok}` or `{error}`.
 */
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { createRuleset } from '../../helper/adapters/netfilter.ts';
import type { Logger, Ruleset, RulesetSpec } from '../../helper/ports.ts';
import { loadBinding } from '../../native/binding.ts';

type Backend = Ruleset['backend'];
export type Request = readonly [Backend, 'apply', RulesetSpec] | readonly [Backend, 'check' | 'mend' | 'remove'];
export type Answer = { readonly ok: unknown } | { readonly error: { readonly code: string; readonly message: string } };

const logger: Logger = {
  log(level, message, fields) {
    process.stderr.write(`${level}: ${message} ${JSON.stringify(fields ?? {})}\n`);
  },
  setLevel: () => undefined,
};

const native = loadBinding(join(import.meta.dirname, '../../build/native/bastion.node'));
const rulesets = new Map<Backend, Ruleset>();

async function serve(request: Request): Promise<Answer> {
  const [backend] = request;
  const ruleset = rulesets.get(backend) ?? createRuleset({ backend, logger, native });
  rulesets.set(backend, ruleset);
  try {
    if (request[1] === 'check') return { ok: await ruleset.check() };
    if (request[1] === 'mend') return { ok: await ruleset.mend() };
    if (request[1] === 'apply') await ruleset.apply(request[2]);
    else await ruleset.remove();
    return { ok: null };
  } catch (error: unknown) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    return { error: { code, message: error instanceof Error ? error.message : String(error) } };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await serve(JSON.parse(line) as Request))}\n`);
}
