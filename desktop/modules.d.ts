/** Packages without types of their own: only what the desktop uses of them. */
declare module 'node-gtk' {
  const gi: { require(namespace: string, version: string): unknown; registerClass(type: object): void };
  export default gi;
}

declare module 'gettext-parser' {
  export interface GetTextMessage {
    msgctxt?: string;
    msgid: string;
    msgid_plural?: string;
    msgstr: string[];
    comments?: { translator?: string; reference?: string; extracted?: string; flag?: string; previous?: string };
  }
  export interface GetTextTranslations {
    charset: string;
    headers: Record<string, string>;
    /** Context ('' for none) -> text -> message. */
    translations: Record<string, Record<string, GetTextMessage>>;
  }
  export const mo: { parse(bytes: Buffer): GetTextTranslations; compile(table: GetTextTranslations): Buffer };
  export const po: {
    parse(text: string | Buffer): GetTextTranslations;
    compile(table: GetTextTranslations, options?: { foldLength?: number; sort?: boolean }): Buffer;
  };
}
