/** The outcome of reading a text form: an expected failure is a value, with the sentence that people read. */
export type Parsed<T> =
  | {
      readonly ok: true;
      readonly value: T;
      /** What was read differently from how it was written, to be reported beside the rule. */
      readonly complaint?: string;
    }
  | { readonly ok: false; readonly message: string };

export function parsed<T>(value: T, complaint?: string): Parsed<T> {
  return complaint === undefined ? { ok: true, value } : { ok: true, value, complaint };
}

export function failed(message: string): { readonly ok: false; readonly message: string } {
  return { ok: false, message };
}

/** Text from outside inside a sentence: bounded, and without anything that could act on a terminal. */
export function quoted(text: string): string {
  const cut = text.length > 64 ? `${text.slice(0, 64)}…` : text;
  return `'${cut.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, '\u{fffd}')}'`;
}
