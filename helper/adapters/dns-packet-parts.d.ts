/** The part of dns-packet that is used; the package carries no types. */
declare module 'dns-packet' {
  export const name: {
    readonly decode: {
      /**
       * A name in wire format, compressed or not. Throws on anything malformed: pointers lead back only, 254 bytes in all.
       * `mail` puts a backslash before a dot that is part of a label. Source: RFC 1035 3.1, 4.1.4.
       */
      (bytes: Buffer, offset: number, options: { readonly mail: boolean }): string;
      /** How many bytes the last name took where it began. */
      readonly bytes: number;
    };
  };
}
