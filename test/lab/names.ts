/** Waits for owners of names on a bus, by the bus's own signal. */
import dbus from 'dbus-next';

const BUS = 'org.freedesktop.DBus';

/** A connection that can wait for names; `close` ends it. */
export interface NameWatch {
  /** Resolves with the unique name of the owner, at once if there is one. */
  owned(name: string): Promise<string>;
  /** Resolves when nobody owns the name. */
  released(name: string): Promise<void>;
  close(): void;
}

/** Connects as this process's user. Rejects when the bus refuses. */
export async function watchNames(address: string): Promise<NameWatch> {
  const bus = dbus.sessionBus({ busAddress: address });
  bus.on('error', () => undefined);
  const listeners = new Set<() => void>();
  bus.on('message', (message: dbus.Message) => {
    if (message.member === 'NameOwnerChanged' && message.sender === BUS) for (const listener of listeners) listener();
  });
  const call = async (member: string, argument: string): Promise<unknown> => {
    const reply = await bus.call(
      new dbus.Message({ destination: BUS, path: '/org/freedesktop/DBus', interface: BUS, member, signature: 's', body: [argument] }),
    );
    const body: unknown[] = reply?.body ?? [];
    return body[0];
  };
  await call('AddMatch', `type='signal',sender='${BUS}',member='NameOwnerChanged'`);
  const owner = async (name: string): Promise<string | null> => {
    if ((await call('NameHasOwner', name)) !== true) return null;
    const found = await call('GetNameOwner', name).catch(() => null);
    return typeof found === 'string' ? found : null;
  };
  const until = <T>(test: () => Promise<T | null>): Promise<T> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        test().then((found) => {
          if (found === null) return;
          listeners.delete(look);
          resolve(found);
        }, reject);
      };
      listeners.add(look);
      look();
    });
  return {
    owned: (name) => until(() => owner(name)),
    released: async (name) => {
      await until(async () => ((await owner(name)) === null ? true : null));
    },
    close() {
      bus.disconnect();
    },
  };
}
