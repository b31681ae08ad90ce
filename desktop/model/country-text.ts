/** Countries by name. */
import { regionText } from './format.ts';
import { visible } from './plain-text.ts';

/** `Germany` in the person's language; '' for what is no country. `code`: two capital letters. */
export function countryName(code: string): string {
  if (code === '') return '';
  try {
    return visible(regionText(code), 64);
  } catch {
    return '';
  }
}
