/** Hashes every file and accepts what each has now: says first what that means, then how far it is, then what it came to. */
import type { HelperClient } from '../../helper/contract/client.ts';
import type { RehashSummary } from '../../helper/contract/types.ts';
import { Adw, Gtk } from '../gtk.ts';
import { _, fill, ngettext } from '../i18n.ts';
import type { ApplicationRow } from '../model/application-list.ts';
import { rehashName, resultWords, summaryText } from '../model/application-text.ts';
import { sizeText } from '../model/format.ts';
import { countText } from '../model/durations.ts';
import { errorText } from '../model/error-text.ts';
import { visible } from '../model/plain-text.ts';
import { loadUi } from './load-ui.ts';
import { ModalDialog } from './modal-dialog.ts';
import { lockButton } from './needs-password.ts';
import type { PageContext } from './page.ts';
import { LinkRows } from './row-group.ts';
import type { LinkRow } from './row-group.ts';

/** More than this are counted, not listed. */
const LISTED_ROWS = 50;

export class RehashAllDialog {
  readonly #context: PageContext;
  readonly #ui = loadUi('rehash-all-dialog');
  readonly #dialog: ModalDialog;
  readonly #begin = this.#ui.get('begin', Gtk.Button);
  readonly #cancel = this.#ui.get('cancel', Gtk.Button);
  readonly #rows = new LinkRows(this.#ui.get('rows', Adw.PreferencesGroup));
  /** A connection of its own: closing it stops the rehash, also while the password is asked for. */
  #running: HelperClient | null = null;

  /** `changed`: the applications whose files would be accepted, as far as that is known now. */
  constructor(context: PageContext, count: number, changed: readonly ApplicationRow[]) {
    this.#context = context;
    this.#label('text', introduction(count, changed.length));
    this.#rows.fill(listed(changed.map(({ name, place, state }) => ({ title: name, subtitle: place, icon: state.icon, look: state.look }))));
    this.#label('cancel_label', _('_Cancel'));
    lockButton(this.#begin, changed.length === 0 ? _('C_heck All Files') : _('_Accept All Files'));
    this.#begin.on('clicked', () => { this.#start(); });
    this.#dialog = new ModalDialog(this.#ui.get('window', Adw.Window), {
      cancel: this.#cancel, focus: this.#cancel, leave: () => { this.#onCancel(); },
      closing: () => {
        this.#stop();
        return false;
      },
    });
  }

  present(): void {
    this.#dialog.present(this.#context.window);
  }

  #start(): void {
    const client = this.#context.session.client.another();
    this.#running = client;
    this.#ui.get('problem', Gtk.Label).setVisible(false);
    this.#begin.setSensitive(false);
    this.#label('cancel_label', _('_Stop'));
    this.#ui.get('progress', Gtk.ProgressBar).setVisible(true);
    this.#onProgress(0, 0);
    client.on('rehashProgress', (done, total) => { if (this.#running === client) this.#onProgress(done, total); });
    client.rehashAll().then(
      (summary) => { if (this.#end(client)) this.#onDone(summary); },
      (error: unknown) => { if (this.#end(client)) this.#onFailed(errorText(error)); },
    );
  }

  /** False where it has been stopped meanwhile. */
  #end(client: HelperClient): boolean {
    if (this.#running !== client) return false;
    this.#stop();
    return true;
  }

  #stop(): void {
    const client = this.#running;
    this.#running = null;
    client?.close();
  }

  /** While it runs: stops it. Nothing is accepted before every file has been hashed. */
  #onCancel(): void {
    if (this.#running === null) {
      this.#dialog.close();
      return;
    }
    this.#stop();
    this.#onFailed(_('Stopped. Nothing was accepted.'));
  }

  #onProgress(done: number, total: number): void {
    this.#ui.get('progress', Gtk.ProgressBar).setFraction(total === 0 ? 0 : Math.min(1, done / total));
    const text = total === 0 ? _('Waiting for the firewall service…') : fill(_('{done} of {total}'), { done: sizeText(done), total: sizeText(total) });
    this.#label('progress_text', text);
    this.#ui.get('progress_text', Gtk.Label).setVisible(true);
  }

  #hideProgress(): void {
    this.#ui.get('progress', Gtk.ProgressBar).setVisible(false);
    this.#ui.get('progress_text', Gtk.Label).setVisible(false);
  }

  #onFailed(text: string): void {
    this.#hideProgress();
    this.#label('problem', text);
    this.#ui.get('problem', Gtk.Label).setVisible(true);
    this.#begin.setSensitive(true);
    this.#label('cancel_label', _('_Cancel'));
  }

  #onDone(summary: RehashSummary): void {
    this.#hideProgress();
    this.#label('text', summaryText(summary));
    this.#rows.fill(listed(summary.rows.map((row) => {
      const { word, icon, look } = resultWords(row);
      return { title: rehashName(row), subtitle: visible(row.path), value: word, icon, look };
    })));
    this.#begin.setVisible(false);
    this.#label('cancel_label', _('_Close'));
    this.#cancel.grabFocus();
  }

  #label(id: string, text: string): void {
    this.#ui.get(id, Gtk.Label).setLabel(text);
  }
}

function introduction(count: number, changed: number): string {
  const all = fill(ngettext('The file of {number} application will be hashed.', 'The files of {number} applications will be hashed.', count), { number: countText(count) });
  if (changed === 0) return `${all} ${_('Changed files are accepted, and listed afterwards.')}`;
  const accepted = fill(ngettext(
    'The files are accepted as they are now. {number} has changed: its allow rules will be in force again. Do this only if you know why it changed.',
    'The files are accepted as they are now. {number} have changed: their allow rules will be in force again. Do this only if you know why they changed.',
    changed,
  ), { number: countText(changed) });
  return `${all} ${accepted}`;
}

function listed(rows: readonly LinkRow[]): readonly LinkRow[] {
  const more = rows.length - LISTED_ROWS;
  if (more <= 0) return rows;
  const text = fill(ngettext('{number} more', '{number} more', more), { number: countText(more) });
  return [...rows.slice(0, LISTED_ROWS), { title: text, subtitle: '' }];
}
