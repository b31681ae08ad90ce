/** selftest asks the helper; doctor looks at this machine first, and then asks the helper if it is there. */
import { NotConnectedError } from '../../contract/client.ts';
import { BastionError } from '../../contract/errors.ts';
import { EXIT } from '../../contract/names.ts';
import type { Check } from '../../contract/types.ts';
import type { Context } from '../context.ts';
import { UsageError } from '../errors.ts';
import type { ExitCode } from '../errors.ts';
import { localChecks } from '../doctor/checks.ts';
import type { Finding } from '../doctor/checks.ts';
import { systemProbe } from '../doctor/probe.ts';
import { printable } from '../text/escape.ts';
import type { Paint } from '../text/format.ts';
import { table } from '../text/table.ts';
import type { Verb } from '../tree.ts';

const SYSTEM_BUS = 'unix:path=/var/run/dbus/system_bus_socket';

async function selftest(context: Context): Promise<ExitCode> {
  const client = await context.privilegedClient();
  const checks = await client.selfTest();
  if (context.options.json) context.json(checks.map(({ name, ok, detail }) => ({ name, ok, detail })));
  else {
    context.io.out(table<Check>([
      { title: 'CHECK', cell: (one) => one.name },
      { title: 'RESULT', cell: (one) => (one.ok ? 'ok' : 'FAILED'), paint: (one) => (one.ok ? context.style.good : context.style.bad) },
      { title: 'DETAIL', cell: (one) => one.detail },
    ], checks, null, context.style.strong));
  }
  return checks.every((one) => one.ok) ? EXIT.done : EXIT.refused;
}

const SELFTEST_DENIED: Finding = {
  name: 'self test', result: 'unknown', detail: 'may not be run by this user', remedy: 'sudo bastionctl selftest',
};

/** What the helper says about itself; its absence is a finding too. */
async function helperFindings(context: Context): Promise<readonly Finding[]> {
  const name = 'helper';
  try {
    const client = context.client();
    const { version, state, degradedReasons, loadErrors } = await client.status();
    const checks = await client.selfTest().catch((error: unknown) => {
      if (error instanceof BastionError) return [];
      throw error;
    });
    return [
      { name, result: 'ok', detail: `answers, version ${version}, state ${state}`, remedy: '' },
      ...degradedReasons.map(({ code, text, remedy }): Finding => ({ name: code, result: 'failed', detail: text, remedy })),
      ...loadErrors.map(({ file, line, column, message }): Finding => ({
        name: `${file}:${String(line)}:${String(column)}`, result: 'failed', detail: message,
        remedy: 'mend the file; it is read again by itself',
      })),
      ...checks.map((one): Finding => ({ name: one.name, result: one.ok ? 'ok' : 'failed', detail: one.detail, remedy: '' })),
      ...(checks.length > 0 ? [] : [SELFTEST_DENIED]),
    ];
  } catch (error: unknown) {
    if (!(error instanceof NotConnectedError) && !(error instanceof BastionError)) throw error;
    const detail = error instanceof BastionError ? error.message : 'does not answer on D-Bus';
    return [{ name, result: 'failed', detail, remedy: 'journalctl -u bastion-firewall.service -n 50' }];
  }
}

function resultPaint(context: Context, result: Finding['result']): Paint {
  switch (result) {
    case 'ok': return context.style.good;
    case 'failed': return context.style.bad;
    case 'unknown': return context.style.warn;
  }
}

/** One line for each finding, what to do on a line below it. */
export function findingsText(context: Context, findings: readonly Finding[]): string {
  return findings.map((one) => {
    const word = resultPaint(context, one.result)(one.result.padEnd(7));
    const line = `${word}  ${printable(one.name)}: ${printable(one.detail)}\n`;
    return one.remedy === '' ? line : `${line}         ${context.style.strong('->')} ${printable(one.remedy)}\n`;
  }).join('');
}

async function doctor(context: Context): Promise<ExitCode> {
  if (context.options.host !== undefined) throw new UsageError('doctor looks at this machine; there: ssh HOST bastionctl doctor');
  const address = context.options.bus ?? context.io.env['DBUS_SYSTEM_BUS_ADDRESS'] ?? SYSTEM_BUS;
  const findings = [...await localChecks(systemProbe(), address), ...await helperFindings(context)];
  const bad = findings.filter((one) => one.result === 'failed').length;
  if (context.options.json) {
    context.json(findings.map(({ name, result, detail, remedy }) => ({ name, result, detail, remedy })));
  } else {
    context.io.out(findingsText(context, findings));
    const { count } = context.format;
    context.say(bad === 0 ? 'Nothing is wrong.' : `${count(bad)} of ${count(findings.length)} need attention.`);
  }
  return bad === 0 ? EXIT.done : EXIT.refused;
}

export const doctorVerbs: readonly Verb[] = [
  {
    name: 'selftest',
    about: 'Let the helper check itself',
    text: 'Exit code 1 when a check fails.',
    examples: ['selftest', 'selftest --json'],
    run: selftest,
  },
  {
    name: 'doctor',
    about: 'Look for what is missing on this machine, and say how to mend it',
    text: 'Works without the helper. Exit code 1 when something is wrong.',
    examples: ['doctor', 'doctor --json'],
    run: doctor,
  },
];
