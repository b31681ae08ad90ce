/** The part of dns-packet that is used; the package carries no types. */
declare module 'dns-packet' {
  export const name: {
    /**
     * A name in wire format, compressed or not. Throws on anything malformed. `mail` puts a backslash before a dot that is
     * part of a label. Source: RFC 1035 3.1, 4.1.4.
     */
    decode(bytes: Buffer, offset: number, options: { readonly mail: boolean }): string;
  };
}
