/** A value as one line of JSON for `readline`, which ends lines at Unicode's separators too. */
export function jsonLine(value: object): string {
  return `${JSON.stringify(value).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')}\n`;
}
