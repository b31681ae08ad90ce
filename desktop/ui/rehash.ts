/** Rehash of one application: nothing is accepted that was not shown. */
import type { ApplicationInfo } from '../../helper/contract/types.ts';
import { _ } from '../i18n.ts';
import { applicationName, rehashText } from '../model/application-text.ts';
import { errorText } from '../model/error-text.ts';
import type { PageContext } from './page.ts';
import { RehashDialog } from './rehash-dialog.ts';

/** The hash of no file: asked for, it makes the helper tell what the file has and accept nothing. */
const NO_HASH = '0'.repeat(64);

/** Shows both hashes of a changed file; hashes any other one now, and shows both where they differ. */
export function checkFile(context: PageContext, info: ApplicationInfo): void {
  if (info.state === 'changed') {
    new RehashDialog(context, info, { known: info.known_sha256, now: info.sha256 }).present();
    return;
  }
  const only = info.known_sha256 || info.sha256 || NO_HASH;
  context.session.client.rehash([`${info.id}=${only}`]).then(
    (rows) => {
      const row = rows.find(({ path }) => path === info.path) ?? rows[0];
      if (row?.result === 'other-hash') new RehashDialog(context, info, { known: row.old_sha256, now: row.new_sha256 }).present();
      else context.toast(row === undefined ? _('The file could not be found.') : rehashText(row, applicationName(info, context.find)));
    },
    (error: unknown) => { context.toast(errorText(error)); },
  );
}
