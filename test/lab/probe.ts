/**
 * A process with a lab, for tests of what a lab leaves: prints `{name, limits}` as one line and then waits, or enters a user
 * namespace first when it has to.
 */
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Lab } from './lab.ts';
import { ROOT } from './process.ts';
import { insideUserNamespace, missingRights, reenter } from './user-namespace.ts';

if (missingRights() !== null && !insideUserNamespace()) {
  const child = reenter(fileURLToPath(import.meta.url), process.argv.slice(2));
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  await once(child, 'exit');
  process.exit(child.exitCode ?? 1);
}
const lab = await Lab.create({ helperProgram: [process.execPath, join(ROOT, 'test/lab/stand-in.ts')] });
const page = await lab.run(['curl', '--silent', `http://${lab.peer4}/`]);
lab.spawn(['sleep', 'infinity'], { stdio: 'ignore' });
process.stdout.write(`${JSON.stringify({ name: lab.name, limits: lab.limits, page: page.stdout })}\n`);
setInterval(() => undefined, 1_000_000);
