/**
 * Runs the netfilter adapter in the namespace that it was started in: one JSON request a line on stdin, one JSON answer a
 * line on stdout. `[backend, 'apply', spec]`, `[backend, 'check']`, `[backend, 'remove']`; answers `{ok}` or `{error}`.
 */
import { createInterface } from 'node:readline';
import { createRuleset } from '../../helper/adapters/netfilter.ts';
import type { Logger, Ruleset, RulesetSpec } from '../../helper/ports.ts';

type Backend = Ruleset['backend'];
export type Request = readonly [Backend, 'apply', RulesetSpec] | readonly [Backend, 'check'] | readonly [Backend, 'remove'];
export type Answer = { readonly ok: unknown } | { readonly error: { readonly code: string; readonly message: string } };

const logger: Logger = {
  log(level, message, fields) {
    process.stderr.write(`${level}: ${message} ${JSON.stringify(fields ?? {})}\n`);
  },
  setLevel: () => undefined,
};

const rulesets = new Map<Backend, Ruleset>();

async function serve(request: Request): Promise<Answer> {
  const [backend] = request;
  const ruleset = rulesets.get(backend) ?? createRuleset({ backend, logger });
  rulesets.set(backend, ruleset);
  try {
    if (request[1] === 'check') return { ok: await ruleset.check() };
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
