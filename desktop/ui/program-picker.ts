/** Offers the programs that the helper knows and those that are installed; or a file. */
import { isAbsolute } from 'node:path';
import { allRows } from '../../helper/contract/pages.ts';
import type { ApplicationInfo } from '../../helper/contract/types.ts';
import { Programs } from '../client/programs.ts';
import type { HelperSession } from '../client/session.ts';
import { Adw, Gtk } from '../gtk.ts';
import type { Window } from '../gtk.ts';
import { _, wantedLanguages } from '../i18n.ts';
import { CHOICES_LIMIT, fileChoice, programChoices, searchChoices } from '../model/program-choices.ts';
import type { Installed, ProgramChoice } from '../model/program-choices.ts';
import type { FindProgram } from '../model/program-name.ts';
import { chooseFile } from './choose-file.ts';
import { IdList, loadRow } from './id-list.ts';
import type { LoadedRow } from './id-list.ts';
import { loadUi } from './load-ui.ts';
import { ModalDialog } from './modal-dialog.ts';
import { PageStates } from './page-states.ts';

async function readKnown(session: HelperSession): Promise<readonly ApplicationInfo[]> {
  return (await allRows((limit, cursor) => session.client.listApplications({}, limit, cursor), CHOICES_LIMIT)).rows;
}

export class ProgramPicker {
  readonly #session: HelperSession;
  readonly #find: FindProgram;
  readonly #picked: (choice: ProgramChoice) => void;
  readonly #ui = loadUi('program-picker');
  readonly #window = this.#ui.get('window', Adw.Window);
  readonly #dialog: ModalDialog;
  readonly #states = new PageStates(this.#ui.get('content', Gtk.ScrolledWindow));
  readonly #search = this.#ui.get('search', Gtk.SearchEntry);
  readonly #list: IdList<LoadedRow>;
  readonly #installed: readonly Installed[];
  #choices: readonly ProgramChoice[] = [];
  #shown: readonly ProgramChoice[] = [];

  constructor(session: HelperSession, find: FindProgram, picked: (choice: ProgramChoice) => void) {
    this.#session = session;
    this.#find = find;
    this.#picked = picked;
    this.#installed = new Programs(wantedLanguages(process.env), session.clocks.nowMs).installed();
    this.#ui.get('body', Gtk.Box).append(this.#states.widget);
    this.#list = this.#makeList();
    this.#search.on('search-changed', () => { this.#filter(); });
    // The search has Escape for itself.
    this.#search.on('stop-search', () => { this.#window.close(); });
    this.#search.on('activate', () => { this.#pick(this.#shown[0]); });
    this.#ui.get('file', Gtk.Button).on('clicked', () => {
      chooseFile(this.#window, { title: _('Choose a Program') }, (path) => { this.#pick(fileChoice(path, find)); });
    });
    this.#dialog = new ModalDialog(this.#window, { focus: this.#search });
  }

  present(parent: Window): void {
    this.#setChoices([]);
    this.#dialog.present(parent);
    // What is installed is there at once; without the helper it is all there is.
    readKnown(this.#session).then((known) => { this.#setChoices(known); }, () => undefined);
  }

  #setChoices(known: readonly ApplicationInfo[]): void {
    this.#choices = programChoices(known, this.#installed, this.#find);
    this.#filter();
  }

  #filter(): void {
    this.#shown = searchChoices(this.#choices, this.#search.getText());
    const places = new Map(this.#choices.map((choice, at) => [choice, String(at)]));
    this.#list.setIds(this.#shown.map((choice) => places.get(choice) ?? ''));
    if (this.#shown.length > 0) this.#states.showContent();
    else this.#states.showMessage({ icon: 'system-search-symbolic', title: _('Nothing Found'), text: _('Choose the program’s file instead.') });
  }

  #makeList(): IdList<LoadedRow> {
    return new IdList({
      list: this.#ui.get('list', Gtk.ListView), make: () => loadRow('choice-row'),
      fill: (row, id) => {
        const { ui } = row;
        const choice = this.#choices[Number(id)];
        if (choice === undefined) return;
        row.spoken = choice.detail === '' ? choice.name : `${choice.name}, ${choice.detail}`;
        ui.get('name', Gtk.Label).setLabel(choice.name);
        ui.get('detail', Gtk.Label).setLabel(choice.detail);
        if (isAbsolute(choice.icon)) ui.get('icon', Gtk.Image).setFromFile(choice.icon);
        else ui.get('icon', Gtk.Image).setFromIconName(choice.icon);
      },
      activated: (id) => { this.#pick(this.#choices[Number(id)]); },
    });
  }

  #pick(choice: ProgramChoice | undefined): void {
    if (choice === undefined) return;
    this.#picked(choice);
    this.#dialog.close();
  }
}
