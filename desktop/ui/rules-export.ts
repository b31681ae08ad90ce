/** Writes the rules into a file that the person chooses; the ending says in which form. */
import { writeFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { _, fill } from '../i18n.ts';
import { errorText } from '../model/error-text.ts';
import { baseName } from '../model/plain-text.ts';
import { chooseFile } from './choose-file.ts';
import type { PageContext } from './page.ts';

const PROPOSED_NAME = 'bastion-rules.toml';

/** `rules.json` is JSON; everything else the helper's own form, which it reads again. */
export function exportFormat(path: string): 'toml' | 'json' {
  return extname(path).toLowerCase() === '.json' ? 'json' : 'toml';
}

/** Asks where to, then writes. What comes of it is said in a toast. */
export function exportRules(context: PageContext): void {
  chooseFile(context.window, { title: _('Export Rules'), newName: PROPOSED_NAME }, (path) => {
    context.session.client.exportRules(exportFormat(path)).then(
      (text) => { write(context, path, text); },
      (error: unknown) => { context.toast(errorText(error)); },
    );
  });
}

function write(context: PageContext, path: string, text: string): void {
  writeFile(path, text).then(
    () => { context.toast(fill(_('Rules written to {file}'), { file: baseName(path) })); },
    (error: unknown) => { context.toast(fill(_('{file} could not be written: {why}'), { file: baseName(path), why: reasonOf(error) })); },
  );
}

/** `ENOSPC` and its like tell more than nothing. */
export function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  switch (code) {
    case 'EACCES': case 'EPERM': case 'EROFS': return _('writing there is not allowed');
    case 'ENOSPC': case 'EDQUOT': return _('there is no room left');
    case 'ENOENT': return _('there is no such folder or file');
    case 'EISDIR': return _('it is a folder');
    default: return code === '' ? _('something went wrong') : code;
  }
}
