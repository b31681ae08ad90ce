/** doctor looks at this machine first, and then asks the helper if it is there. */
import { writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { NotConnectedError } from '../../contract/client.ts';
import { BastionError } from '../../contract/errors.ts';
import { EXIT } from '../../contract/names.ts';
import type { Context } from '../context.ts';
import { RefusedError, UsageError } from '../errors.ts';
import type { ExitCode } from '../errors.ts';
import { localChecks } from '../doctor/checks.ts';
import type { Finding } from '../doctor/finding.ts';
import { systemProbe } from '../doctor/probe.ts';
import type { Probe } from '../doctor/probe.ts';
import { networkFindings } from '../doctor/network.ts';
import { report } from '../doctor/report.ts';
import { contentFindings, surroundings } from '../doctor/session.ts';
import { jsonText, printable } from '../text/escape.ts';
import type { Paint } from '../text/format.ts';
import type { Invocation, Verb } from '../tree.ts';
import { selftestVerb } from './selftest.ts';

const SYSTEM_BUS = 'unix:path=/var/run/dbus/system_bus_socket';

const SELFTEST_DENIED: Finding = {
  name: 'self test', result: 'unknown', detail: 'may not be run by this user', remedy: 'sudo bastionctl selftest',
};

/** What the helper says about itself; its absence is a finding too. */
async function helperFindings(context: Context): Promise<readonly Finding[]> {
  const name = 'helper';
  try {
    const client = context.client();
    const { version, state, degradedReasons, loadErrors, statistics } = await client.status();
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
      ...await contentFindings(client, statistics.history_lost),
      ...await networkFindings(client),
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

/** A file that is there is never written over: it may be a link to something else. Throws RefusedError. */
async function writeReport(context: Context, file: string, text: string): Promise<void> {
  await writeFile(file, text, { flag: 'wx', mode: 0o600 }).catch((error: unknown) => {
    throw new RefusedError(`${file} could not be written: ${error instanceof Error ? error.message : String(error)}`, 'bastionctl doctor --report', { cause: error });
  });
  context.say(`The report is in ${file}. Read it before you give it to anybody: what is not known to be harmless was left out.`);
}

async function reportOf(context: Context, probe: Probe, findings: readonly Finding[]): Promise<string> {
  const answers = await context.client().ping().then(() => true, () => false);
  const made = await report({
    probe, findings, client: answers ? context.client() : null, hostName: hostname(), userName: context.io.env['USER'] ?? '', runtime: process.version,
  });
  return `${jsonText(made, true)}\n`;
}

async function doctor(context: Context, { args, options }: Invocation): Promise<ExitCode> {
  const [file] = args;
  if (file !== undefined && options['report'] !== true) throw new UsageError('a file is for the report: doctor --report FILE');
  if (context.options.host !== undefined) throw new UsageError('doctor looks at this machine; there: ssh HOST bastionctl doctor');
  const address = context.options.bus ?? context.io.env['DBUS_SYSTEM_BUS_ADDRESS'] ?? SYSTEM_BUS;
  const probe = systemProbe();
  const findings = [
    ...await localChecks(probe, address),
    ...await surroundings(probe, address, context.io.env['DBUS_SESSION_BUS_ADDRESS']),
    ...await helperFindings(context),
  ];
  if (options['report'] === true) {
    const text = await reportOf(context, probe, findings);
    if (file === undefined) context.io.out(text);
    else await writeReport(context, file, text);
    return EXIT.done;
  }
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
  selftestVerb,
  {
    name: 'doctor',
    about: 'Look for what is missing on this machine, and say how to mend it',
    text: 'Works without the helper. Exit code 1 when something is wrong. --report writes all that, the counters and the last lines '
      + 'of the journal as JSON, without users, hosts, addresses, paths and rules.',
    args: [{ name: 'file', about: 'where the report goes; it must not be there yet', optional: true, kind: 'file' }],
    options: [{ name: 'report', about: 'a report to give to somebody who helps' }],
    examples: ['doctor', 'doctor --json', 'doctor --report report.json'],
    run: doctor,
  },
];
