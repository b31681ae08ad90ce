/** The calls that are made of each method and property to see who may make them, and what each came to. */
import { BUS_NAME, INTERFACES, OBJECT_PATH } from '../../helper/contract/names.ts';
import { Variant } from '../../helper/contract/transport.ts';
import type { BusConnection } from '../../helper/contract/transport.ts';
import type { Member } from './contract-xml.ts';

/** What `authorization.json` tells apart. */
export type Column = 'root' | 'active' | 'user' | 'other';

/** What each caller gets, by `shortName`. */
export type Outcomes = Readonly<Record<string, Readonly<Record<Column, string>>>>;

/** The content of `authorization.json`. */
export interface AuthorizationTable {
  readonly methods: Outcomes;
  readonly properties: Outcomes;
  /** 'heard' or 'nothing'. */
  readonly signals: Outcomes;
}

/** What a call of a prompt or a flow is about. */
export interface Subjects {
  readonly nonce: string;
  readonly flow: string;
}

const PROPERTIES = 'org.freedesktop.DBus.Properties';
const RULE = { action: new Variant('s', 'deny'), address: new Variant('s', '192.0.2.1') };

/** What Rules.Get, Update and SetGroup are about. */
export const RULES = '[[rule]]\nid = "in-lab"\naction = "deny"\ngroup = "Lab"\ndestination = { address = "192.0.2.9" }\n';

/** Arguments that would do something if they were let: an authorization that is missing shows. */
function argumentsOf(name: string, { nonce, flow }: Subjects): readonly unknown[] {
  const known: Readonly<Record<string, readonly unknown[]>> = {
    'Helper1.SetMode': ['enforcing', {}], 'Helper1.Pause': [1], 'Helper1.SetProfile': [''], 'Helper1.SetLogLevel': ['info'],
    'Rules.List': [10, ''], 'Rules.Get': ['in-lab'], 'Rules.Export': ['toml'], 'Rules.Add': [{ ...RULE, id: new Variant('s', 'added') }],
    'Rules.Update': ['in-lab', { enabled: new Variant('b', true) }], 'Rules.Remove': ['added'],
    'Rules.SetGroup': ['Lab', true], 'Rules.UpdateLists': [[]],
    'Rules.Import': ['bastion-rules', '{"/usr/bin/imported:443": true}', true],
    'Rules.Propose': [{}], 'Rules.Simulate': [[], 0n], 'Rules.Review': [],
    'Prompts.RegisterAgent': [{}], 'Prompts.Answer': [nonce, { action: new Variant('s', 'deny'), lifetime: new Variant('s', 'once') }],
    'Prompts.ListPending': [10, ''], 'Prompts.Hold': [nonce], 'Prompts.Dismiss': [[nonce]],
    'Activity.Query': [{}, 10, ''], 'Activity.Subscribe': [{}], 'Activity.Explain': [flow],
    'Activity.Totals': ['helper', 'application'], 'Activity.Index': [{}, ''], 'Activity.Group': [{}, 'application'],
    'Network.ListInterfaces': [10, ''], 'Network.ListZones': [10, ''], 'Network.ListContainers': [10, ''], 'Network.SetInbound': ['nowhere', 'off', []],
    'Activity.TotalsOf': [{}, 'hour', 'application'],
    'Applications.List': [{}, 10, ''], 'Applications.Rehash': [[]],
    'Properties.Get': [INTERFACES.helper, 'Mode'], 'Properties.GetAll': [INTERFACES.helper],
    'Properties.Set': [INTERFACES.helper, 'Mode', new Variant('s', 'learning')],
  };
  return known[name] ?? [];
}

/** `Rules.Add` of `org.bastionfirewall.Helper1.Rules` and `Add`. */
export function shortName({ interface: interfaceName, name }: Pick<Member, 'interface' | 'name'>): string {
  return `${interfaceName.slice(interfaceName.lastIndexOf('.') + 1)}.${name}`;
}

/** 'done', or the last word of the error's name. Nobody is asked for a password. */
export async function outcome(
  bus: BusConnection, interfaceName: string, member: string, signature: string, body: readonly unknown[],
): Promise<string> {
  try {
    await bus.call({ destination: BUS_NAME, path: OBJECT_PATH, interface: interfaceName, member, signature, body });
    return 'done';
  } catch (error: unknown) {
    return error instanceof Error && 'errorName' in error ? String(error.errorName).split('.').at(-1) ?? '' : String(error);
  }
}

/** Asks for all news there is, also what it may not have. The set grows with each signal of the helper's object that comes. */
export async function listen(bus: BusConnection): Promise<ReadonlySet<string>> {
  const heard = new Set<string>();
  bus.onSignal((signal) => {
    if (signal.path === OBJECT_PATH) heard.add(shortName({ interface: signal.interface, name: signal.member }));
  });
  for (const match of [`sender='${BUS_NAME}'`, `path='${OBJECT_PATH}'`]) await bus.addMatch(`type='signal',${match}`);
  await outcome(bus, INTERFACES.prompts, 'RegisterAgent', 'a{sv}', [{}]);
  await outcome(bus, INTERFACES.activity, 'Subscribe', 'a{sv}', [{}]);
  for (const wider of ['everybody', 'packets']) {
    await outcome(bus, INTERFACES.activity, 'Subscribe', 'a{sv}', [{ [wider]: new Variant('b', true) }]);
  }
  return heard;
}

export function callMethod(bus: BusConnection, method: Member, subjects: Subjects): Promise<string> {
  return outcome(bus, method.interface, method.name, method.signature, argumentsOf(shortName(method), subjects));
}

export function readProperty(bus: BusConnection, { interface: interfaceName, name }: Member): Promise<string> {
  return outcome(bus, PROPERTIES, 'Get', 'ss', [interfaceName, name]);
}

/** To another value. */
export function setProperty(bus: BusConnection, { interface: interfaceName, name, signature }: Member): Promise<string> {
  const value = new Variant(signature, signature === 's' ? 'learning' : signature === 't' ? 0n : signature === 'a{sv}' ? {} : []);
  return outcome(bus, PROPERTIES, 'Set', 'ssv', [interfaceName, name, value]);
}
