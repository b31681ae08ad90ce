/**
 * Runs in a network namespace of its own: prints what the interfaces look like after each command of the list that it is given, as
 * soon as they look as wanted. Arguments: the addon, and JSON of steps.
 */
import { execFileSync } from 'node:child_process';
import { watchLinks } from '../../../helper/adapters/link-monitor.ts';
import { loadBinding } from '../../../native/binding.ts';

/** A command of the shell, and a text that a line of what is seen has to have, or must not have with `!` before it. */
export type TourStep = readonly [command: string, wanted: string];

const [addon = '', steps = '[]'] = process.argv.slice(2);
const WAIT_MS = 15_000;

const monitor = watchLinks({ native: loadBinding(addon), logger: { log: () => undefined, setLevel: () => undefined } });

let routes = 0;
monitor.onRoutes(() => { routes += 1; });

function seen(): readonly string[] {
  const links = monitor.current.map(({ name, kind, up, connected, addresses }) => {
    const rows = addresses.map((one) => {
      const marks = [one.scope === 'global' ? '' : one.scope, one.dynamic ? 'dynamic' : '', one.temporary ? 'temporary' : '', one.deprecated ? 'deprecated' : ''];
      return [`${one.address}/${String(one.prefixLength)}`, ...marks.filter((mark) => mark !== '')].join(' ');
    });
    return `${name} ${kind} ${up ? 'up' : 'down'}${connected ? ' connected' : ''}: ${rows.join(', ')}`;
  });
  return [...links, `default routes changed: ${String(routes)}`];
}

function isSo(wanted: string): boolean {
  const lines = seen();
  return wanted.startsWith('!') ? !lines.some((line) => line.includes(wanted.slice(1))) : lines.some((line) => line.includes(wanted));
}

const alive = setInterval(() => undefined, 1000);
await monitor.list();
const results: (readonly string[])[] = [];
for (const [command, wanted] of JSON.parse(steps) as readonly TourStep[]) {
  // JavaScript stands still meanwhile.
  execFileSync('sh', ['-c', command], { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, LD_PRELOAD: '' } });
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => { resolve(undefined); }, WAIT_MS);
  const look = (): void => { if (isSo(wanted)) resolve(undefined); };
  const stops = [monitor.onChanged(look), monitor.onRoutes(look)];
  if (!isSo(wanted)) await promise;
  clearTimeout(timer);
  for (const stop of stops) stop();
  results.push(seen());
}
process.stdout.write(`${JSON.stringify({ results, resyncs: monitor.counters.resyncs })}\n`);
monitor.close();
clearInterval(alive);
