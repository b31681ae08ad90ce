/**
 * Strict dispatch of calls on the session bus: a call reaches a method only if path, interface, member and signature are
 * those of a table. Properties are read-only; nothing that a caller sends is shown, run or kept.
 */
import { BUS_ERRORS } from '../../helper/contract/transport.ts';
import type { BusConnection, IncomingMessage } from '../../helper/contract/transport.ts';
import variants from 'dbus-next/lib/variant.js';

export type Variant = InstanceType<typeof variants.Variant>;

/** A value with its D-Bus signature, as variants carry it. */
export function variant(signature: string, value: unknown): Variant {
  return new variants.Variant(signature, value);
}

export interface BusMethod {
  readonly in: string;
  readonly out: string;
  /** Gets arguments that match `in`; returns those of `out`, or a promise of them. A throw is answered with InvalidArgs. */
  readonly run: (args: readonly unknown[]) => readonly unknown[] | Promise<readonly unknown[]>;
}

export interface BusInterface {
  readonly name: string;
  readonly methods: Readonly<Record<string, BusMethod>>;
  /** Read anew for every call. */
  readonly properties: () => Readonly<Record<string, Variant>>;
  /** The `<interface>` element. */
  readonly xml: string;
}

const PROPERTIES = 'org.freedesktop.DBus.Properties';
const INTROSPECTABLE = 'org.freedesktop.DBus.Introspectable';
const PEER = 'org.freedesktop.DBus.Peer';
const INVALID_ARGS = 'org.freedesktop.DBus.Error.InvalidArgs';
/** Hosts ask for a few ids and names at a time. */
const MAX_BODY_BYTES = 65_536;

class CallError extends Error {
  override readonly name = 'CallError';
  readonly errorName: string;

  constructor(errorName: string, message: string) {
    super(message);
    this.errorName = errorName;
  }
}

/** Serves `objects` (path -> interface) on a connection; everything else there is refused. */
export function serveObjects(bus: BusConnection, objects: ReadonlyMap<string, BusInterface>): void {
  bus.onCall((call) => {
    try {
      const { method, args } = findMethod(objects, call);
      const result = method.run(args);
      if (!(result instanceof Promise)) bus.reply(call, method.out, result);
      else result.then((body) => { bus.reply(call, method.out, body); }).catch(() => { bus.replyError(call, INVALID_ARGS, 'The arguments are not valid.'); });
    } catch (error: unknown) {
      const known = error instanceof CallError;
      bus.replyError(call, known ? error.errorName : INVALID_ARGS, known ? error.message : 'The arguments are not valid.');
    }
  });
}

function findMethod(
  objects: ReadonlyMap<string, BusInterface>, call: IncomingMessage,
): { readonly method: BusMethod; readonly args: readonly unknown[] } {
  const object = objects.get(call.path);
  if (object === undefined) throw new CallError(BUS_ERRORS.unknownObject, 'There is no such object.');
  const methods = call.interface === object.name ? object.methods : standardMethods(object)[call.interface];
  if (methods === undefined) throw new CallError(BUS_ERRORS.unknownInterface, 'There is no such interface.');
  const method = Object.hasOwn(methods, call.member) ? methods[call.member] : undefined;
  if (method === undefined) throw new CallError(BUS_ERRORS.unknownMethod, 'There is no such method.');
  if (call.signature !== method.in || call.bodyBytes > MAX_BODY_BYTES) {
    throw new CallError(INVALID_ARGS, `The arguments are not '${method.in}'.`);
  }
  return { method, args: call.body() };
}

function standardMethods(object: BusInterface): Readonly<Record<string, Readonly<Record<string, BusMethod>> | undefined>> {
  return {
    [PROPERTIES]: {
      Get: { in: 'ss', out: 'v', run: ([name, key]) => [oneProperty(object, name, key)] },
      GetAll: { in: 's', out: 'a{sv}', run: ([name]) => [name === object.name ? object.properties() : {}] },
      Set: { in: 'ssv', out: '', run: () => { throw new CallError(BUS_ERRORS.propertyReadOnly, 'The property cannot be set.'); } },
    },
    [INTROSPECTABLE]: { Introspect: { in: '', out: 's', run: () => [introspection(object)] } },
    [PEER]: { Ping: { in: '', out: '', run: () => [] } },
  };
}

function oneProperty(object: BusInterface, name: unknown, key: unknown): Variant {
  const properties = name === object.name ? object.properties() : {};
  const found = typeof key === 'string' && Object.hasOwn(properties, key) ? properties[key] : undefined;
  if (found === undefined) throw new CallError(BUS_ERRORS.unknownProperty, 'There is no such property.');
  return found;
}

function introspection(object: BusInterface): string {
  return [
    '<!DOCTYPE node PUBLIC "-//freedesktop//DTD D-BUS Object Introspection 1.0//EN"',
    ' "http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd">',
    '<node>', object.xml,
    `<interface name="${PROPERTIES}">`,
    '<method name="Get"><arg type="s" direction="in"/><arg type="s" direction="in"/><arg type="v" direction="out"/></method>',
    '<method name="GetAll"><arg type="s" direction="in"/><arg type="a{sv}" direction="out"/></method>',
    '</interface>',
    `<interface name="${INTROSPECTABLE}"><method name="Introspect"><arg type="s" direction="out"/></method></interface>`,
    '</node>',
  ].join('\n');
}
