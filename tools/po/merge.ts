/** Puts the translations of the catalogues into files that carry their own: desktop entries, AppStream and polkit files. */
import type { GetTextTranslations } from 'gettext-parser';
import { DESKTOP_KEYS, oneLine, xmlText } from './texts.ts';
import { escapeXml, unescapeXml } from './xml.ts';

/** Catalogues by language, in the order in which their lines are written. */
export type Catalogues = ReadonlyMap<string, GetTextTranslations>;

/** '' where there is no translation, or one that is marked as doubtful. */
export function translationOf(catalogue: GetTextTranslations, text: string, context = ''): string {
  const message = catalogue.translations[context]?.[text];
  if (message === undefined || /\bfuzzy\b/.test(message.comments?.flag ?? '')) return '';
  return message.msgstr[0] ?? '';
}

/** Adds `Key[language]=` lines below each key. Lines for languages that are there already are replaced. */
export function mergeDesktopEntry(content: string, catalogues: Catalogues): string {
  const keys = new RegExp(`^(${DESKTOP_KEYS.join('|')})=(.+)$`);
  const old = new RegExp(`^(?:${DESKTOP_KEYS.join('|')})\\[[^\\]]+\\]=`);
  return content.split('\n').filter((line) => !old.test(line) && !line.startsWith('#')).flatMap((line) => {
    const [, key = '', text = ''] = keys.exec(line) ?? [];
    const translated = text === '' ? [] : [...catalogues].flatMap(([language, catalogue]) => {
      const found = translationOf(catalogue, text);
      return found === '' || found === text ? [] : [`${key}[${language}]=${found}`];
    });
    return [line, ...translated];
  }).join('\n');
}

/** Adds an element with xml:lang after each that has a text. The domain of gettext is not needed then. */
export function mergeXml(content: string, elements: readonly string[], catalogues: Catalogues): string {
  return content.replaceAll(xmlText(elements), (whole, ...groups: string[]) => {
    const [, element = '', attributes = '', text = ''] = groups;
    if (attributes.includes('translate="no"') || attributes.includes('xml:lang')) return whole;
    const bare = attributes.replace(/\s+gettext-domain="[^"]*"/, '');
    const source = oneLine(unescapeXml(text));
    const original = `<${element}${bare}>${escapeText(source)}</${element}>`;
    const translated = [...catalogues].flatMap(([language, catalogue]) => {
      const found = translationOf(catalogue, source);
      return found === '' || found === source ? [] : [`<${element}${bare} xml:lang="${language}">${escapeText(found)}</${element}>`];
    });
    return [original, ...translated].join('\n    ');
  });
}

/** Inside an element quotes need no escape. */
function escapeText(text: string): string {
  return escapeXml(text).replaceAll('&quot;', '"').replaceAll('&apos;', "'");
}
