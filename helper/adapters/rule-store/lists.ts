/** `[[list]]` of bastion.toml. */
import { LIST_FORMATS } from '../../contract/vocabulary.ts';
import type { ListDefinition } from '../../ports.ts';
import { FieldReader } from './field-reader.ts';
import { LIMITS } from './limits.ts';
import { didYouMean, shown } from './text.ts';
import type { Problem, Section } from './toml.ts';

/** Lists that bastion.toml may name. */
export const LIST_COUNT = 32;
const KEYS = ['id', 'name', 'file', 'url', 'format', 'sha256', 'update_hours'];
const ID = /^[a-z0-9][a-z0-9_-]{0,31}$/;
const SHA256 = /^[0-9a-f]{64}$/i;
const URL_LENGTH = 2048;
const LONGEST_HOURS = 8760;
const DAY_HOURS = 24;

interface Read {
  readonly lists: readonly ListDefinition[];
  readonly problems: readonly Problem[];
}

/** Reads all of them; `lists` counts only where there is no problem. */
export function readLists(sections: readonly Section[]): Read {
  const lists: ListDefinition[] = [];
  const problems: Problem[] = [];
  for (const [index, section] of sections.entries()) {
    const reader = new FieldReader(section.table, section.at);
    const list = listOf(reader, section);
    if (lists.some(({ id }) => id === list.id)) reader.complainAbout('id', `There are two lists with the id ${shown(list.id)}. Rename one.`);
    lists.push(list);
    problems.push(...reader.problems);
    if (index === LIST_COUNT) problems.push({ ...section.at, message: `There are more than ${String(LIST_COUNT)} lists. Join some.` });
  }
  return { lists, problems };
}

function listOf(reader: FieldReader, section: Section): ListDefinition {
  reader.keys(KEYS, [], 'list.');
  const id = reader.text('id', LIMITS.idLength);
  if (id === null) reader.complain(section.at, 'This list has no id. Add a line such as id = "ads".', 'id');
  else if (!ID.test(id)) reader.complainAbout('id', `${shown(id)} is not a valid id of a list: small letters, digits, "_" and "-", at most 32.`);
  const sha256 = reader.text('sha256', URL_LENGTH);
  if (sha256 !== null && !SHA256.test(sha256)) reader.complainAbout('sha256', '"sha256" must be 64 hexadecimal digits, as sha256sum prints them.');
  return {
    id: id ?? '',
    name: reader.text('name', LIMITS.nameLength) ?? id ?? '',
    ...placeOf(reader, section, sha256 !== null),
    format: formatOf(reader),
    sha256: sha256?.toLowerCase() ?? null,
    updateHours: reader.number('update_hours', 1, LONGEST_HOURS) ?? DAY_HOURS,
  };
}

function formatOf(reader: FieldReader): ListDefinition['format'] {
  const text = reader.text('format', LIMITS.idLength) ?? 'auto';
  const format = LIST_FORMATS.find((one) => one === text);
  if (format !== undefined) return format;
  const choices = LIST_FORMATS.map((one) => `"${one}"`).join(', ');
  reader.complainAbout('format', `${shown(text)} is no format of a list; the formats are ${choices}.${didYouMean(text, LIST_FORMATS)}`);
  return 'auto';
}

function placeOf(reader: FieldReader, section: Section, hasHash: boolean): Pick<ListDefinition, 'file' | 'url'> {
  const file = reader.text('file', LIMITS.pathBytes);
  const url = reader.text('url', URL_LENGTH);
  if ((file === null) === (url === null)) {
    reader.complain(section.at, 'A list has either "file" or "url". Write file = "/etc/bastion/lists/ads.txt" or url = "https://...".', 'place');
    return { file, url };
  }
  if (file !== null) {
    checkFile(reader, file);
    if (reader.item('update_hours') !== null) reader.complainAbout('update_hours', '"update_hours" belongs to "url"; a file is read again when it changes.');
    return { file, url };
  }
  return { file, url: checkedUrl(reader, url ?? '', hasHash) };
}

function checkFile(reader: FieldReader, file: string): void {
  const parts = file.split('/').slice(1);
  if (!file.startsWith('/') || file.includes('\0') || parts.some((part) => part === '' || part === '.' || part === '..')) {
    reader.complainAbout('file', `${shown(file)} is not the absolute path of a file, without "." and ".." and doubled "/".`);
  }
}

/** In the one spelling that the fetching program is given. */
function checkedUrl(reader: FieldReader, text: string, hasHash: boolean): string {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:') || url.hostname === '') {
    reader.complainAbout('url', `${shown(text)} is no address of a list; it begins with https://.`);
    return text;
  }
  if (url.protocol === 'http:' && !hasHash) {
    reader.complainAbout('url', 'Anybody on the way can change what http:// brings. Use https://, or add the "sha256" of the list.');
  }
  if (url.username !== '' || url.password !== '') {
    reader.complainAbout('url', 'A user name or a password cannot stand in the address of a list: it is shown to everybody on this machine.');
  }
  url.hash = '';
  return url.href;
}
