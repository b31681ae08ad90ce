/** The part of dns-packet that is used; the package carries no types. */
declare module 'dns-packet' {
  /** Wire format of one question. Throws on anything malformed. Source: RFC 1035 4.1.2. */
  export const question: {
    decode(bytes: Buffer, offset: number): { readonly name: string; readonly type: string };
  };
}
