/** Asks whether a changed file is accepted: what was known, what the file has now, and what that means. */
import type { ApplicationInfo, RehashInfo } from '../../helper/contract/types.ts';
import { Adw, Gtk } from '../gtk.ts';
import { _ } from '../i18n.ts';
import { applicationIcon, applicationName, placeText, rehashText, stateWords } from '../model/application-text.ts';
import { errorText } from '../model/error-text.ts';
import { visible } from '../model/plain-text.ts';
import { loadUi } from './load-ui.ts';
import { ModalDialog } from './modal-dialog.ts';
import { lockButton } from './needs-password.ts';
import type { PageContext } from './page.ts';
import { FactRows } from './row-group.ts';
import { showIcon } from './show-icon.ts';

const ICON_PIXELS = 48;

/** Both hashes, 64 small hexadecimal digits, or '' where none is known. */
export interface RehashHashes {
  readonly known: string;
  readonly now: string;
}

export class RehashDialog {
  readonly #context: PageContext;
  readonly #info: ApplicationInfo;
  readonly #ui = loadUi('rehash-dialog');
  readonly #dialog: ModalDialog;
  readonly #accept = this.#ui.get('accept', Gtk.Button);
  readonly #facts = new FactRows(this.#ui.get('facts', Adw.PreferencesGroup));
  #hashes: RehashHashes;

  constructor(context: PageContext, info: ApplicationInfo, hashes: RehashHashes) {
    this.#context = context;
    this.#info = info;
    this.#hashes = hashes;
    showIcon(this.#ui.get('icon', Gtk.Image), applicationIcon(info, context.find), ICON_PIXELS);
    this.#ui.get('name', Gtk.Label).setLabel(this.#name);
    this.#ui.get('place', Gtk.Label).setLabel(placeText(info));
    this.#ui.get('sentence', Gtk.Label).setLabel(stateWords({ ...info, state: 'changed' }).sentence);
    this.#ui.get('advice', Gtk.Label).setLabel(adviceText(info));
    this.#fill();
    lockButton(this.#accept, _('_Accept File'));
    this.#accept.on('clicked', () => { this.#onAccept(); });
    const cancel = this.#ui.get('cancel', Gtk.Button);
    this.#dialog = new ModalDialog(this.#ui.get('window', Adw.Window), { cancel, focus: cancel });
  }

  present(): void {
    this.#dialog.present(this.#context.window);
  }

  get #name(): string {
    return applicationName(this.#info, this.#context.find);
  }

  #fill(): void {
    const { path } = this.#info;
    this.#facts.fill([
      { title: _('File'), value: visible(path), exact: true },
      { title: _('Known SHA-256'), value: this.#hashes.known === '' ? _('none') : this.#hashes.known, exact: true },
      { title: _('Current SHA-256'), value: this.#hashes.now, exact: true },
    ]);
  }

  /** Nothing but the hash that is shown is accepted. */
  #onAccept(): void {
    this.#accept.setSensitive(false);
    this.#context.session.client.rehash([`${this.#info.id}=${this.#hashes.now}`]).then(
      (rows) => { this.#onDone(rows); },
      (error: unknown) => { this.#say(errorText(error)); },
    );
  }

  #onDone(rows: readonly RehashInfo[]): void {
    const row = rows.find(({ path }) => path === this.#info.path) ?? rows[0];
    const text = row === undefined ? _('The file could not be found.') : rehashText(row, this.#name);
    if (row?.result !== 'other-hash') {
      this.#context.toast(text);
      this.#dialog.close();
      return;
    }
    this.#hashes = { known: row.old_sha256, now: row.new_sha256 };
    this.#fill();
    this.#say(text);
  }

  #say(text: string): void {
    const problem = this.#ui.get('problem', Gtk.Label);
    problem.setLabel(text);
    problem.setVisible(true);
    this.#accept.setSensitive(true);
  }
}

/** What a person can look at before he decides. */
function adviceText({ reason, package: packageName }: ApplicationInfo): string {
  return reason === 'package-wrong' && packageName !== ''
    ? _('If you did not change it yourself, reinstall the package to restore the right file.')
    : _('Accept it if you have updated or built the program yourself. If you do not know why it changed, leave it as it is.');
}
