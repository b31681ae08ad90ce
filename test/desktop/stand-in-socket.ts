/**
 * How the windows' process of a test reaches the helper that the test plays, which lives in the process of the session: lines
 * of JSON on a socket in the session's own folder.
 */
import { createConnection, createServer } from 'node:net';
import type { Socket } from 'node:net';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { NotConnectedError } from '../../helper/contract/client.ts';
import type { HelperClient, HelperEvents } from '../../helper/contract/client.ts';
import { BastionError } from '../../helper/contract/errors.ts';
import type { ErrorCode } from '../../helper/contract/errors.ts';
import { jsonLine } from './json-line.ts';
import type { StandInCall, StandInClient } from './stand-in-client.ts';

const PATH = join(process.env['XDG_RUNTIME_DIR'] ?? '/nonexistent', 'stand-in');

/** What a test tells the window itself. */
export type WindowCommand = { readonly do: 'stall' } | { readonly do: 'taken' } | { readonly do: 'dark'; readonly dark: boolean };

type ToWindow =
  | { readonly event: keyof HelperEvents; readonly args: readonly unknown[] }
  | { readonly number: number; readonly result?: unknown; readonly error?: { readonly code: ErrorCode | ''; readonly message: string } }
  | { readonly command: WindowCommand };
type ToStandIn =
  | { readonly number: number; readonly call: string; readonly args: readonly unknown[] }
  | { readonly told: StandInCall };

const EVENTS: readonly (keyof HelperEvents)[] = [
  'connected', 'status', 'rulesChanged', 'promptRaised', 'promptWithdrawn', 'flows', 'packets', 'applicationsChanged', 'networkChanged', 'rehashProgress',
];

function write(socket: Socket, line: ToWindow | ToStandIn): void {
  if (!socket.destroyed) socket.write(jsonLine(line));
}

type Methods = Readonly<Record<string, ((...args: readonly unknown[]) => unknown) | undefined>>;

/** Serves `client` to windows; what a window tells the test goes to `told`. Returns the way to command the windows that there are. */
export function serveStandIn(
  client: StandInClient, told: (line: StandInCall) => void, joined: (socket: Socket) => void,
): { readonly command: (command: WindowCommand) => boolean; readonly to: (socket: Socket, command: WindowCommand) => void } {
  const windows = new Set<Socket>();
  rmSync(PATH, { force: true });
  createServer((socket) => {
    windows.add(socket);
    const stops = EVENTS.map((event) => client.on(event, (...args: readonly unknown[]) => { write(socket, { event, args }); }));
    socket.on('error', () => undefined).on('close', () => {
      windows.delete(socket);
      told({ call: 'connection closed', args: [] });
      for (const stop of stops) stop();
    });
    const answer = async (number: number, call: string, args: readonly unknown[]): Promise<void> => {
      try {
        const method = (client as unknown as Methods)[call];
        if (typeof method !== 'function') throw new TypeError(`the stand-in has no ${call}`);
        write(socket, { number, result: await method.apply(client, [...args]) });
      } catch (error: unknown) {
        write(socket, { number, error: { code: error instanceof BastionError ? error.code : '', message: (error as Error).message } });
      }
    };
    createInterface(socket).on('error', () => undefined).on('line', (line) => {
      const message = JSON.parse(line) as ToStandIn;
      if ('told' in message) told(message.told);
      else void answer(message.number, message.call, message.args);
    });
    write(socket, { event: 'connected', args: [client.connected] });
    joined(socket);
  }).listen(PATH);
  const to = (socket: Socket, command: WindowCommand): void => { write(socket, { command }); };
  return {
    to,
    command: (command) => {
      for (const socket of windows) to(socket, command);
      return windows.size > 0;
    },
  };
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** The window's end: a client whose every call is made by the one in the other process. */
export function remoteClient(obey: (command: WindowCommand, tell: (line: StandInCall) => void) => void): HelperClient {
  const socket = createConnection(PATH);
  const waiting = new Map<number, Waiting>();
  const listeners = new Map<string, Set<(...args: readonly unknown[]) => void>>();
  let connected = false;
  let last = 0;
  const onLine = (line: string): void => {
    const message = JSON.parse(line) as ToWindow;
    if ('command' in message) {
      obey(message.command, (told) => { write(socket, { told }); });
    } else if ('event' in message) {
      if (message.event === 'connected') connected = message.args[0] === true;
      for (const listener of listeners.get(message.event) ?? []) listener(...message.args);
    } else {
      const one = waiting.get(message.number);
      waiting.delete(message.number);
      if (message.error === undefined) one?.resolve(message.result);
      else one?.reject(message.error.code === '' ? new NotConnectedError(message.error.message) : new BastionError(message.error.code, message.error.message));
    }
  };
  createInterface(socket).on('error', () => undefined).on('line', onLine);
  socket.on('error', () => undefined);
  const call = (name: string, args: readonly unknown[]): Promise<unknown> => new Promise((resolve, reject) => {
    last += 1;
    waiting.set(last, { resolve, reject });
    write(socket, { number: last, call: name, args });
  });
  const own: Readonly<Record<string, unknown>> = {
    on: (event: string, listener: (...args: readonly unknown[]) => void) => {
      const known = listeners.get(event) ?? new Set();
      listeners.set(event, known.add(listener));
      return () => { known.delete(listener); };
    },
    another: () => remoteClient(() => undefined),
    close: () => { socket.destroy(); },
  };
  return new Proxy({}, {
    get: (_target, name) => {
      if (typeof name !== 'string' || name === 'then') return undefined;
      if (name === 'connected') return connected;
      return own[name] ?? ((...args: readonly unknown[]) => call(name, args));
    },
  }) as HelperClient;
}
