/** Export and clearing of the history. */
import type { FlowFormat } from '../../helper/contract/flow-export.ts';
import type { FlowFilter } from '../../helper/contract/types.ts';
import { exportFlows } from '../client/flow-export.ts';
import { Adw, Gtk } from '../gtk.ts';
import { _, fill, ngettext } from '../i18n.ts';
import { errorText } from '../model/error-text.ts';
import { exportName } from '../model/flow-export.ts';
import { countText } from '../model/format.ts';
import type { Ui } from './load-ui.ts';
import { lockButton } from './needs-password.ts';
import type { PageContext } from './page.ts';

export interface MenuActions {
  /** What the page shows now. */
  filter(): FlowFilter;
  cleared(): void;
}

export class ActivityMenu {
  readonly #context: PageContext;
  readonly #actions: MenuActions;
  /** A native dialog lives only as long as somebody holds it. */
  #chooser: { show(): void; destroy(): void } | null = null;
  #exporting = false;

  constructor(ui: Ui, context: PageContext, actions: MenuActions) {
    this.#context = context;
    this.#actions = actions;
    const popover = ui.get('more_popover', Gtk.Popover);
    const clear = ui.get('clear', Gtk.Button);
    lockButton(clear, _('C_lear History…'));
    const on = (id: string, run: () => void): void => {
      ui.get(id, Gtk.Button).on('clicked', () => {
        popover.popdown();
        run();
      });
    };
    on('export_csv', () => { this.#choose('csv'); });
    on('export_json', () => { this.#choose('json'); });
    on('clear', () => { this.#confirm(); });
  }

  #choose(format: FlowFormat): void {
    const chooser = new Gtk.FileChooserNative({
      title: _('Export Connections'), action: Gtk.FileChooserAction.SAVE, transientFor: this.#context.window, modal: true,
    });
    chooser.setCurrentName(exportName(format, this.#context.session.clocks.wallMs()));
    chooser.on('response', (response) => {
      const path = response === Gtk.ResponseType.ACCEPT ? (chooser.getFile()?.getPath() ?? null) : null;
      this.#chooser = null;
      if (path !== null) this.#export(format, path);
    });
    this.#chooser = chooser;
    this.#chooser.show();
  }

  #export(format: FlowFormat, path: string): void {
    if (this.#exporting) return;
    this.#exporting = true;
    this.#context.toast(_('Exporting…'));
    exportFlows(this.#context.session.client, this.#actions.filter(), format, path).then(
      ({ flows, isCut }) => {
        const done = fill(ngettext('{number} connection exported', '{number} connections exported', flows), { number: countText(flows) });
        this.#context.toast(isCut ? fill(_('{done}; there are more'), { done }) : done);
      },
      (error: unknown) => { this.#context.toast(isFileError(error) ? _('The file could not be written.') : errorText(error)); },
    ).finally(() => { this.#exporting = false; });
  }

  #confirm(): void {
    const dialog = new Adw.MessageDialog({
      heading: _('Clear the History?'),
      body: _('The connections of everybody on this computer are deleted for good, with their totals. Rules stay. This needs an administrator’s password.'),
      modal: true, accessibleRole: Gtk.AccessibleRole.WINDOW,
    });
    dialog.addResponse('cancel', _('_Cancel'));
    dialog.addResponse('clear', _('C_lear'));
    dialog.setResponseAppearance('clear', Adw.ResponseAppearance.DESTRUCTIVE);
    dialog.setDefaultResponse('cancel');
    dialog.setCloseResponse('cancel');
    dialog.setTransientFor(this.#context.window);
    dialog.on('response', (response) => { if (response === 'clear') this.#clear(); });
    dialog.present();
  }

  #clear(): void {
    this.#context.session.client.clearHistory().then(
      () => {
        this.#context.toast(_('The history is empty'));
        this.#actions.cleared();
      },
      (error: unknown) => { this.#context.toast(errorText(error)); },
    );
  }
}

function isFileError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}
