/**
 * One caller, as a program inside the system: for each line of its input it makes the calls that the line asks for, and says what
 * each came to, which session the login manager counts it to, and of which signals it has heard since it was first told to listen.
 */
import { createInterface } from 'node:readline';
import { Variant, connectBus } from '../../../helper/contract/transport.ts';
import { callMethod, listen, readProperty, setProperty, shortName } from '../../contract/authorization-calls.ts';
import type { Subjects } from '../../contract/authorization-calls.ts';
import type { Member } from '../../contract/contract-xml.ts';

/** One line of input. */
export interface Request {
  readonly members: readonly Member[];
  readonly subjects: Subjects;
  readonly listen?: true;
}

/** One line of output. */
export interface Reply {
  /** `active`, `remote` and so on; null of a process that belongs to none. */
  readonly session: string | null;
  readonly outcomes: Readonly<Record<string, string>>;
  readonly heard: readonly string[];
}

const LOGIND = { destination: 'org.freedesktop.login1', path: '/org/freedesktop/login1' } as const;
/** A test of its own by the helper takes its time. */
const bus = await connectBus({ timeoutMs: 60_000 });

async function session(): Promise<string | null> {
  const path = await bus.call({
    ...LOGIND, interface: 'org.freedesktop.login1.Manager', member: 'GetSessionByPID', signature: 'u', body: [process.pid],
  }).then(([found]) => String(found), () => null);
  if (path === null) return null;
  const [read] = await bus.call({
    ...LOGIND, path, interface: 'org.freedesktop.DBus.Properties', member: 'GetAll', signature: 's', body: ['org.freedesktop.login1.Session'],
  });
  const properties = read as Readonly<Record<string, unknown>>;
  const is = (key: string): boolean => properties[key] instanceof Variant && properties[key].value === true;
  return `${is('Remote') ? 'remote' : 'local'}, ${is('Active') ? 'active' : 'not active'}`;
}

async function outcomeOf(member: Member, subjects: Subjects): Promise<string> {
  if (member.kind === 'method') return callMethod(bus, member, subjects);
  const [read, set] = [await readProperty(bus, member), await setProperty(bus, member)];
  return set === 'PropertyReadOnly' ? read : `${read}, and setting it: ${set}`;
}

let heard: ReadonlySet<string> | null = null;

for await (const line of createInterface({ input: process.stdin })) {
  const { members, subjects, listen: listens } = JSON.parse(line) as Request;
  if (listens === true) heard ??= await listen(bus);
  const outcomes: Record<string, string> = {};
  for (const member of members) outcomes[shortName(member)] = await outcomeOf(member, subjects);
  process.stdout.write(`${JSON.stringify({ session: await session(), outcomes, heard: [...heard ?? []] } satisfies Reply)}\n`);
}
bus.close();
