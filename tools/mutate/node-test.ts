/** Stands in for node:test: collects the tests of a file instead of running them. */

/** As much of a test's context as is used by the tests that are run here. */
export interface Context {
  readonly name: string;
  after(work: Work): void;
  diagnostic(text: string): void;
}

type Work = () => unknown;
type Body = (context: Context) => unknown;

export interface Collected {
  readonly name: string;
  readonly body: Body;
}

let collected: Collected[] = [];
let prefix = '';

/** Hands over what was collected, and begins anew. */
export function takeCollected(): readonly Collected[] {
  const taken = collected;
  collected = [];
  return taken;
}

type Options = { readonly skip?: unknown } & Readonly<Record<string, unknown>>;

export function test(name: string, ...[options, body]: [Body] | [Options, Body]): void {
  if (typeof options === 'function') collected.push({ name: prefix + name, body: options });
  else if (options.skip === undefined && body !== undefined) collected.push({ name: prefix + name, body });
}

export function describe(name: string, body: Work): void {
  const outer = prefix;
  prefix += `${name}: `;
  body();
  prefix = outer;
}
