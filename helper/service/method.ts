/** How an interface is declared: members with their wire types, so that signature, decoder and encoder cannot differ. */
import type { Infer, WireType } from '../contract/codec.ts';
import { BastionError } from '../contract/errors.ts';
import type { Action } from '../contract/names.ts';
import type { Caller } from './callers.ts';

/** Wire types of a list of arguments. */
export type Arguments = readonly WireType<unknown>[];
/** The values of a list of arguments. */
export type Values<A extends Arguments> = { readonly [N in keyof A]: Infer<A[N]> };
/** Shown in polkit's dialog. */
export type Details = Readonly<Record<string, string>>;

/** The call that a method serves. */
export interface Call {
  readonly caller: Caller;
  /** What polkit was asked for this call; null where nobody was asked. */
  readonly action: Action | null;
  /** Would the caller be allowed this too? Never shows a dialog, never throws. */
  allows(action: Action): Promise<boolean>;
}

/** A call whose arguments were decoded and copied, before anybody was asked. */
export interface PreparedCall {
  /** Costs something else than authorize.ts says? Decided from the frozen arguments; may throw or reject with BastionError. */
  cost(caller: Caller): Action | null | Promise<Action | null>;
  details(caller: Caller): Details;
  run(call: Call): Promise<readonly unknown[]>;
}

/** A method as the dispatcher sees it. */
export interface Method {
  readonly input: string;
  readonly output: string;
  /** Longest body of a call, in bytes; the dispatcher's own limit when absent. */
  readonly maxBodyBytes?: number;
  /** Throws BastionError InvalidArgument. */
  prepare(body: readonly unknown[]): PreparedCall;
}

/** A property as the dispatcher sees it; there are no writable ones. */
export interface Property {
  readonly signature: string;
  /** The value as the wire wants it. */
  read(): unknown;
}

/** One interface of the object. */
export interface ServedInterface {
  readonly name: string;
  readonly methods: Readonly<Record<string, Method>>;
  readonly properties: Readonly<Record<string, Property>>;
  /** Signal name to signature. */
  readonly signals: Readonly<Record<string, string>>;
}

function signatureOf(types: Arguments): string {
  return types.map((type) => type.signature).join('');
}

/** Declares a method. `names` names the arguments for error messages, in order. */
export function method<const I extends Arguments, const O extends Arguments>(declared: {
  readonly input: I;
  readonly names: readonly string[];
  readonly output: O;
  readonly maxBodyBytes?: number;
  /** Fills in what the caller left open, at the time of the call: what is carried out is what was authorized. */
  readonly freeze?: (...values: Values<I>) => Values<I>;
  readonly cost?: (caller: Caller, ...values: Values<I>) => Action | null | Promise<Action | null>;
  readonly details?: (caller: Caller, ...values: Values<I>) => Details;
  readonly run: (call: Call, ...values: Values<I>) => Values<O> | Promise<Values<O>>;
}): Method {
  const { input, names, output, maxBodyBytes, freeze, cost, details, run } = declared;
  return {
    input: signatureOf(input),
    output: signatureOf(output),
    ...(maxBodyBytes === undefined ? {} : { maxBodyBytes }),
    prepare(body) {
      if (body.length !== input.length) throw new BastionError('InvalidArgument');
      const decoded = input.map((type, index) => type.decode(body[index], names[index] ?? 'argument')) as unknown as Values<I>;
      const values = freeze?.(...decoded) ?? decoded;
      return {
        cost: (caller) => cost?.(caller, ...values) ?? null,
        details: (caller) => details?.(caller, ...values) ?? {},
        async run(call) {
          const results: readonly unknown[] = await run(call, ...values);
          return output.map((type, index) => type.encode(results[index]));
        },
      };
    },
  };
}

/** Declares a property. */
export function property<T>(type: WireType<T>, read: () => T): Property {
  return { signature: type.signature, read: () => type.encode(read()) };
}
