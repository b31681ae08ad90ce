/**
 * The strict dispatcher. For every call, in this order: object, member, signature, size, room, credentials, arguments,
 * authorization, presence of the caller, and only then the method. Whatever cannot be decided is refused.
 */
import { BastionError, errorName } from '../contract/errors.ts';
import type { ErrorCode } from '../contract/errors.ts';
import { ACTIONS } from '../contract/names.ts';
import type { Action } from '../contract/names.ts';
import { faultSentence, systemCodeOf } from '../contract/system-faults.ts';
import { BUS_ERRORS, WireError } from '../contract/transport.ts';
import type { BusConnection, IncomingMessage } from '../contract/transport.ts';
import type { Authority, Logger } from '../ports.ts';
import { requirementOf } from './authorize.ts';
import type { Caller, Callers } from './callers.ts';
import type { Admission } from './limits.ts';
import type { Call, Method, PreparedCall, ServedInterface } from './method.ts';

/** ALLOW_INTERACTIVE_AUTHORIZATION of the specification. */
const INTERACTIVE_FLAG = 4;
/** Longest body of a call but for methods that name one of their own: 64 keys of 128 characters, or a few texts of 4096. */
export const MAX_BODY_BYTES = 128 * 1024;

/** Of an error, in one line of the journal. */
const CAUSES = 4;

/** What the dispatcher works with. */
export interface DispatchDeps {
  readonly bus: BusConnection;
  readonly callers: Callers;
  readonly authority: Authority;
  readonly admission: Admission;
  readonly logger: Logger;
  /** This connection was let see the state. */
  onViewer(caller: Caller): void;
  /** Interfaces of an object, null where there is no object. */
  interfacesAt(path: string): readonly ServedInterface[] | null;
}

/** An error of the bus's own names, for calls that no interface of ours answers. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  readonly errorName: string;

  constructor(name: string, message: string) {
    super(message);
    this.errorName = name;
  }
}

/** Serves the calls that come in on `deps.bus`. */
export class Dispatcher {
  readonly #deps: DispatchDeps;

  constructor(deps: DispatchDeps) {
    this.#deps = deps;
  }

  /** Takes one message; answers later. Never throws. */
  dispatch(message: IncomingMessage): void {
    this.#serve(message).catch((error: unknown) => {
      this.#refuse(message, error);
    });
  }

  async #serve(message: IncomingMessage): Promise<void> {
    const method = this.#find(message);
    const leave = busyWhenNull(this.#deps.admission.arrive(message.sender));
    try {
      const prepared = prepare(method, message);
      await this.#serveFor(message, method, prepared);
    } finally {
      leave();
    }
  }

  async #serveFor(message: IncomingMessage, method: Method, prepared: PreparedCall): Promise<void> {
    const caller = await this.#deps.callers.get(message.sender);
    if (caller === null) return;
    const leave = busyWhenNull(this.#deps.admission.enter(caller.uid));
    try {
      const required = requirementOf(message.interface, message.member);
      if (required === null) throw new BastionError('NotAuthorized');
      const action = required === 'public' ? null : (await prepared.cost(caller)) ?? required;
      if (action !== null && !(await this.#authorize(message, caller, prepared, action))) return;
      this.#deps.bus.reply(message, method.output, await prepared.run(this.#callOf(caller, action)));
    } finally {
      leave();
    }
  }

  #find(message: IncomingMessage): Method {
    const interfaces = this.#deps.interfacesAt(message.path);
    if (interfaces === null) throw new ProtocolError(BUS_ERRORS.unknownObject, 'There is no such object.');
    const found = interfaces.find((one) => one.name === message.interface);
    if (found === undefined) throw new ProtocolError(BUS_ERRORS.unknownInterface, 'There is no such interface.');
    const method = Object.hasOwn(found.methods, message.member) ? found.methods[message.member] : undefined;
    if (method === undefined) throw new ProtocolError(BUS_ERRORS.unknownMethod, 'There is no such method.');
    return method;
  }

  /** False when the caller has left meanwhile. Throws NotAuthorized or Busy. */
  async #authorize(message: IncomingMessage, caller: Caller, prepared: PreparedCall, action: Action): Promise<boolean> {
    const interactive = (message.flags & INTERACTIVE_FLAG) !== 0;
    if (!(await this.#ask(caller, action, prepared.details(caller), interactive))) {
      this.#deps.logger.log('debug', 'a call was not authorized', { member: message.member, uid: caller.uid, action });
      throw new BastionError('NotAuthorized');
    }
    if (action === ACTIONS.view) this.#deps.onViewer(caller);
    return action === ACTIONS.view || this.#deps.callers.isThere(caller.name);
  }

  async #ask(caller: Caller, action: Action, details: Readonly<Record<string, string>>, interactive: boolean): Promise<boolean> {
    const leave = busyWhenNull(this.#deps.admission.ask(caller.name, caller.uid));
    try {
      return await this.#deps.authority.isAuthorized(caller.name, action, details, interactive);
    } finally {
      leave();
    }
  }

  #callOf(caller: Caller, action: Action | null): Call {
    return {
      caller,
      action,
      allows: async (other) => {
        try {
          return await this.#ask(caller, other, {}, false);
        } catch {
          return false;
        }
      },
    };
  }

  #refuse(message: IncomingMessage, error: unknown): void {
    if (error instanceof ProtocolError) {
      this.#replyError(message, error.errorName, error.message);
      return;
    }
    const code = codeOf(error);
    if (code === 'Failed') {
      const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
      const cause = causesOf(error);
      this.#deps.logger.log('error', 'a call failed', {
        interface: message.interface, member: message.member, ...(cause === '' ? {} : { cause }), why,
      });
    }
    // A bug's own words may tell what the caller must not know: only expected errors speak.
    const told = error instanceof BastionError ? error.message : new BastionError(code).message;
    const fault = code === 'Failed' ? faultSentence(systemCodeOf(error)) : '';
    const text = fault === '' || told.includes(fault) ? told : `${told} ${fault}`;
    this.#replyError(message, errorName(code), text);
  }

  #replyError(message: IncomingMessage, name: string, text: string): void {
    try {
      this.#deps.bus.replyError(message, name, text);
    } catch (error: unknown) {
      const why = error instanceof Error ? error.message : String(error);
      this.#deps.logger.log('warning', 'an answer could not be sent', { member: message.member, why });
    }
  }
}

/** What led to an error, the nearest first; '' where it says so itself. */
function causesOf(error: unknown): string {
  const causes: string[] = [];
  for (let at = error instanceof Error ? error.cause : undefined; at instanceof Error && causes.length < CAUSES; at = at.cause) causes.push(at.message);
  return causes.join('; ');
}

function codeOf(error: unknown): ErrorCode {
  return error instanceof BastionError ? error.code : 'Failed';
}

function busyWhenNull(leave: (() => void) | null): () => void {
  if (leave === null) throw new BastionError('Busy');
  return leave;
}

function prepare(method: Method, message: IncomingMessage): PreparedCall {
  if (message.signature !== method.input) {
    throw new BastionError('InvalidArgument', `The arguments must have the signature '${method.input}'.`);
  }
  if (message.bodyBytes > (method.maxBodyBytes ?? MAX_BODY_BYTES)) throw new BastionError('InvalidArgument', 'The arguments are too long.');
  try {
    return method.prepare(message.body());
  } catch (error: unknown) {
    if (error instanceof WireError) throw new BastionError('InvalidArgument', 'The arguments cannot be read.', { cause: error });
    throw error;
  }
}
