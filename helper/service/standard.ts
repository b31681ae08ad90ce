/** The interfaces that every D-Bus object has. Source: D-Bus Specification, "Standard Interfaces". */
import { readFileSync } from 'node:fs';
import { string } from '../contract/codec.ts';
import type { WireType } from '../contract/codec.ts';
import { BUS_ERRORS } from '../contract/transport.ts';
import { ProtocolError } from './bus.ts';
import { method } from './method.ts';
import type { Property, ServedInterface } from './method.ts';
import { Variant } from '../contract/transport.ts';
import { name } from './wire-types.ts';

const MACHINE_ID_FILES = ['/etc/machine-id', '/var/lib/dbus/machine-id'] as const;

/** A Variant, as the library has it: what Get returns, and what Set refuses. */
const variant: WireType<unknown> = { signature: 'v', encode: (value) => value, decode: (value) => value };
/** A dictionary whose values are Variants already. */
const variants: WireType<Readonly<Record<string, unknown>>> = {
  signature: 'a{sv}',
  encode: (value) => value,
  decode: () => ({}),
};

function machineId(): string {
  for (const file of MACHINE_ID_FILES) {
    try {
      const found = readFileSync(file, 'utf8').trim();
      if (/^[0-9a-f]{32}$/u.test(found)) return found;
    } catch {
      continue;
    }
  }
  throw new ProtocolError('org.freedesktop.DBus.Error.Failed', 'This machine has no id.');
}

/** Introspection of one path. */
export function introspectable(xml: string): ServedInterface {
  return {
    name: 'org.freedesktop.DBus.Introspectable',
    methods: { Introspect: method({ input: [], names: [], output: [string], run: () => [xml] }) },
    properties: {},
    signals: {},
  };
}

/** Is somebody there, and on which machine. */
export function peer(): ServedInterface {
  return {
    name: 'org.freedesktop.DBus.Peer',
    methods: {
      Ping: method({ input: [], names: [], output: [], run: () => [] }),
      GetMachineId: method({ input: [], names: [], output: [string], run: () => [machineId()] }),
    },
    properties: {},
    signals: {},
  };
}

/** Reading the properties of `interfaces`. Setting is refused whatever the property. */
export function properties(interfaces: readonly ServedInterface[]): ServedInterface {
  const find = (interfaceName: string): Readonly<Record<string, Property>> => {
    const found = interfaces.find((one) => one.name === interfaceName);
    if (found === undefined) throw new ProtocolError(BUS_ERRORS.unknownInterface, 'There is no such interface.');
    return found.properties;
  };
  return {
    name: 'org.freedesktop.DBus.Properties',
    methods: {
      Get: method({
        input: [name, name],
        names: ['interface', 'property'],
        output: [variant],
        run(_call, interfaceName, propertyName) {
          const all = find(interfaceName);
          const one = Object.hasOwn(all, propertyName) ? all[propertyName] : undefined;
          if (one === undefined) throw new ProtocolError(BUS_ERRORS.unknownProperty, 'There is no such property.');
          return [new Variant(one.signature, one.read())];
        },
      }),
      GetAll: method({
        input: [name],
        names: ['interface'],
        output: [variants],
        run(_call, interfaceName) {
          const all = Object.entries(find(interfaceName));
          return [Object.fromEntries(all.map(([key, one]) => [key, new Variant(one.signature, one.read())]))];
        },
      }),
      Set: method({
        input: [name, name, variant],
        names: ['interface', 'property', 'value'],
        output: [],
        run() {
          throw new ProtocolError(BUS_ERRORS.propertyReadOnly, 'No property can be set; there are methods for that.');
        },
      }),
    },
    properties: {},
    signals: { PropertiesChanged: 'sa{sv}as' },
  };
}
