/** Rules out of a file: what would become of each is shown before anything is added. */
import { open } from 'node:fs/promises';
import { WIRE_LIMITS } from '../../helper/contract/names.ts';
import type { ImportItemInfo, ImportSummary } from '../../helper/contract/types.ts';
import { Adw, Gtk } from '../gtk.ts';
import { _, fill, ngettext } from '../i18n.ts';
import { countText } from '../model/durations.ts';
import { errorText } from '../model/error-text.ts';
import { addButtonText, formatText, importRows, importSummaryText } from '../model/import-text.ts';
import type { ImportRow } from '../model/import-text.ts';
import { baseName } from '../model/plain-text.ts';
import { runProblem } from '../model/rule-bulk.ts';
import { runChanges } from '../client/change-rules.ts';
import { chooseFile } from './choose-file.ts';
import { IdList, loadRow } from './id-list.ts';
import type { LoadedRow } from './id-list.ts';
import { loadUi } from './load-ui.ts';
import { ModalDialog } from './modal-dialog.ts';
import { lockButton } from './needs-password.ts';
import type { PageContext } from './page.ts';
import { PageStates } from './page-states.ts';
import { reasonOf } from './rules-export.ts';

class TooLargeError extends Error {}

/** Text of a file, of at most as much as the helper takes. Rejects with the system's error, or TooLargeError. */
async function readText(path: string): Promise<string> {
  const file = await open(path, 'r');
  try {
    const about = await file.stat();
    // What has no size, such as a pipe, could go on for ever.
    if (!about.isFile() || about.size > WIRE_LIMITS.textLength) throw new TooLargeError();
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

export class ImportDialog {
  readonly #context: PageContext;
  readonly #ui = loadUi('rules-import');
  readonly #window = this.#ui.get('window', Adw.Window);
  readonly #dialog: ModalDialog;
  readonly #states = new PageStates(this.#ui.get('content', Gtk.Box));
  readonly #body = this.#ui.get('body', Gtk.Box);
  readonly #choosePage = this.#ui.get('choose_page', Adw.StatusPage);
  readonly #list: IdList<LoadedRow>;
  #rows: readonly ImportRow[] = [];
  #text = '';

  constructor(context: PageContext) {
    this.#context = context;
    lockButton(this.#ui.get('choose', Gtk.Button), _('Choose a _File…'));
    this.#body.append(this.#choosePage);
    this.#body.append(this.#states.widget);
    this.#showChoose('');
    this.#list = this.#makeList();
    this.#ui.get('choose', Gtk.Button).on('clicked', () => { this.#choose(); });
    this.#ui.get('add', Gtk.Button).on('clicked', () => { this.#add(); });
    this.#dialog = new ModalDialog(this.#window, { cancel: this.#ui.get('cancel', Gtk.Button), focus: this.#ui.get('choose', Gtk.Button) });
  }

  present(): void {
    this.#dialog.present(this.#context.window);
  }

  #makeList(): IdList<LoadedRow> {
    return new IdList({
      list: this.#ui.get('report', Gtk.ListView), make: () => loadRow('import-row'),
      fill: (view, id, item) => {
        const { ui } = view;
        item.setActivatable(false);
        const row = this.#rows[Number(id)];
        if (row === undefined) return;
        ui.get('icon', Gtk.Image).setFromIconName(row.icon);
        ui.get('title', Gtk.Label).setLabel(row.title);
        const place = [row.verdict, row.place].filter((part) => part !== '').join('  ·  ');
        view.spoken = `${row.title}, ${place}`;
        ui.get('place', Gtk.Label).setLabel(place);
      },
    });
  }

  #showChoose(problem: string): void {
    this.#choosePage.setVisible(true);
    this.#states.widget.setVisible(false);
    const label = this.#ui.get('choose_problem', Gtk.Label);
    label.setLabel(problem);
    label.setVisible(problem !== '');
  }

  #showStates(): void {
    this.#choosePage.setVisible(false);
    this.#states.widget.setVisible(true);
  }

  #choose(): void {
    chooseFile(this.#window, { title: _('Choose a File With Rules') }, (path) => { this.#read(path); });
  }

  #read(path: string): void {
    const file = baseName(path);
    readText(path).then(
      (text) => { this.#look(text); },
      (error: unknown) => {
        const limit = countText(WIRE_LIMITS.textLength / 1024);
        const why = error instanceof TooLargeError ? fill(_('it is not a file, or is larger than {limit} KiB'), { limit }) : reasonOf(error);
        this.#showChoose(fill(_('{file} cannot be read: {why}'), { file, why }));
      },
    );
  }

  /** Asks the helper what it would make of the text; nothing is added. */
  #look(text: string): void {
    this.#text = text;
    this.#showStates();
    this.#states.showLoading(_('Looking at the file…'));
    this.#context.session.client.importRules('', text, true).then(
      ({ items, summary }) => { this.#report(items, summary); },
      (error: unknown) => { this.#showChoose(errorText(error)); },
    );
  }

  #report(items: readonly ImportItemInfo[], summary: ImportSummary): void {
    const add = this.#ui.get('add', Gtk.Button);
    this.#rows = importRows(items);
    this.#list.setIds(this.#rows.map((_row, at) => String(at)));
    this.#ui.get('summary', Gtk.Label).setLabel(importSummaryText(summary));
    this.#ui.get('format', Gtk.Label).setLabel(formatText(summary));
    this.#ui.get('settings', Gtk.Label).setVisible(summary.settings !== '');
    lockButton(add, addButtonText(summary.ids.length));
    add.setVisible(true);
    add.setSensitive(summary.ids.length > 0);
    this.#states.showContent();
  }

  #add(): void {
    const add = this.#ui.get('add', Gtk.Button);
    const problem = this.#ui.get('problem', Gtk.Label);
    add.setSensitive(false);
    problem.setVisible(false);
    this.#context.session.client.importRules('', this.#text, false).then(
      ({ summary }) => { this.#added(summary.ids); },
      (error: unknown) => {
        if (!this.#dialog.isOpen) this.#context.toast(errorText(error));
        problem.setLabel(errorText(error));
        problem.setVisible(true);
        add.setSensitive(true);
      },
    );
  }

  #added(ids: readonly string[]): void {
    const { session } = this.#context;
    session.loadRules();
    const text = fill(ngettext('{number} rule added', '{number} rules added', ids.length), { number: countText(ids.length) });
    const changes = ids.map((id) => ({ step: { op: 'remove', id } as const, undo: null }));
    this.#context.toast(text, () => {
      runChanges(session.client, changes, { progress: () => undefined, isStopped: () => false }).then(
        (result) => {
          session.loadRules();
          if (runProblem(result) !== '') this.#context.toast(runProblem(result));
        },
        (error: unknown) => { this.#context.toast(errorText(error)); },
      );
    });
    this.#dialog.close();
  }
}
