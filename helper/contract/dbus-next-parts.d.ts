/** The parts of dbus-next that its own declarations leave out: its codec, used by transport-wire.ts alone. */
declare module 'dbus-next/lib/dbus-buffer.js' {
  /** One node of a parsed signature. */
  export interface TypeNode {
    readonly type: string;
    readonly child: readonly TypeNode[];
  }
  export default class DBusBuffer {
    constructor(buffer: Buffer, startPosition: number, endian: number, fds: undefined, options: { readonly ayBuffer: boolean });
    readonly buffer: Buffer;
    readonly endian: number;
    pos: number;
    align(power: number): void;
    readInt32(): number;
    readString(length: number): string;
    readTree(tree: TypeNode): unknown;
    readArray(element: TypeNode, sizeBytes: number): unknown[];
    readSimpleType(type: string): unknown;
    read(signature: string): unknown[];
  }
}

declare module 'dbus-next/lib/signature.js' {
  import type { TypeNode } from 'dbus-next/lib/dbus-buffer.js';

  const signatures: {
    /** Throws for a text that is no signature. */
    readonly parseSignature: (signature: string) => TypeNode[];
    readonly collapseSignature: (tree: TypeNode) => string;
  };
  export default signatures;
}

declare module 'dbus-next/lib/marshall-compat.js' {
  const marshalling: { readonly marshallMessage: (message: object) => readonly [Buffer, readonly unknown[]] };
  export default marshalling;
}

declare module 'dbus-next/lib/message-type.js' {
  const messages: { readonly Message: new (fields: Readonly<Record<string, unknown>>) => object };
  export default messages;
}

declare module 'dbus-next/lib/constants.js' {
  const constants: { readonly _getBigIntConstants: () => { MIN_INT64: bigint } };
  export default constants;
}

declare module 'dbus-next/lib/variant.js' {
  /** A value with its signature, where the type of a field is decided by each message. */
  class Variant<T = unknown> {
    constructor(signature: string, value: T);
    signature: string;
    value: T;
  }
  const variants: { readonly Variant: typeof Variant };
  export default variants;
}
