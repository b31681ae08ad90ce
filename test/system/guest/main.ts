/** The program inside the virtual machine: every check in its order, each with all that were before it. */
import { enforcementChecks, flushCheck, loadCheck, natCheck, returnCheck } from './enforcement-checks.ts';
import { Machine } from './machine.ts';
import { firstChecks, networkChecks } from './network-checks.ts';
import { Report } from './report.ts';
import type { Check } from './report.ts';
import { gateTunnelCheck, tunnelChecks } from './tunnel-checks.ts';

function when(condition: string, checks: readonly Check[]): Check[] {
  return checks.map((check) => ({ ...check, name: `${condition}: ${check.name}` }));
}

const report = new Report();
const machine = await Machine.create();
const checks: readonly Check[] = [
  { name: 'the helper starts', run: async () => { await machine.startHelper(); return ''; } },
  loadCheck,
  ...when('enforcing', [...firstChecks, ...networkChecks, ...enforcementChecks, natCheck, ...tunnelChecks]),
  flushCheck,
  ...when('with nothing but the gate', [...networkChecks, ...enforcementChecks, gateTunnelCheck]),
  returnCheck,
  ...when('after the restart', [...enforcementChecks, natCheck]),
];
for (const check of checks) await report.check(machine, check);
report.done();
process.exit(0);
