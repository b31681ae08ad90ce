/**
 * Builder files. They are translated as text before the toolkit reads them, because its own gettext cannot be told where our
 * catalogues are; accessible names are set there too.
 */
import { readFileSync } from 'node:fs';
import { assetPath } from '../assets.ts';
import { Gtk } from '../gtk.ts';
import type { Class } from '../gtk.ts';
import { translated } from '../i18n.ts';
import { escapeMarkup } from '../model/plain-text.ts';

export interface Ui {
  /** Throws when the file has no object of this id and class: a bug of ours, found by the first test that opens it. */
  get<T>(id: string, type: Class<T>): T;
}

/** An element with a text for people. Attributes for translators alone are taken out with it. */
const TRANSLATABLE = /<(property|attribute|item)\b([^>]*) translatable="yes"([^>]*)>([^<]*)</g;
const texts = new Map<string, string>();

function unescapeXml(text: string): string {
  return text
    .replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&apos;', "'").replaceAll('&amp;', '&');
}

function source(name: string): string {
  const known = texts.get(name);
  if (known !== undefined) return known;
  const text = readFileSync(assetPath('ui', `${name}.ui`), 'utf8').replaceAll(
    TRANSLATABLE,
    (_match, element: string, before: string, after: string, content: string) => {
      const context = / context="([^"]*)"/.exec(before + after)?.[1] ?? '';
      const rest = (before + after).replaceAll(/ (?:context|comments)="[^"]*"/g, '');
      return `<${element}${rest}>${escapeMarkup(translated(unescapeXml(content), unescapeXml(context)))}<`;
    },
  );
  texts.set(name, text);
  return text;
}

/** Builds the objects of `ui/<name>.ui`. */
export function loadUi(name: string): Ui {
  // The length is in bytes, and -1 lets GLib count them.
  const builder = Gtk.Builder.newFromString(source(name), -1);
  return {
    get(id, type) {
      const object: unknown = builder.getObject(id);
      if (!isA(object, type)) throw new TypeError(`${name}.ui has no ${id} of the right class`);
      return object;
    },
  };
}

function isA<T>(object: unknown, type: Class<T>): object is T {
  return object instanceof (type as unknown as new () => object);
}
