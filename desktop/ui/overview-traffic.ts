/** Traffic of the last minutes and the programs that make the most of it. */
import type { OverviewFeed } from '../client/overview-feed.ts';
import { Adw, Gtk } from '../gtk.ts';
import type { ActionRow, Image } from '../gtk.ts';
import { _, fill } from '../i18n.ts';
import { sizeText, rateText } from '../model/format.ts';
import { errorText, isNotAuthorized } from '../model/error-text.ts';
import { programName } from '../model/program-name.ts';
import { SHOWN_MS } from '../model/traffic.ts';
import type { ProgramTraffic } from '../model/traffic.ts';
import { Graph } from './graph.ts';
import { loadUi } from './load-ui.ts';
import type { Ui } from './load-ui.ts';
import type { PageContext } from './page.ts';
import { showIcon } from './show-icon.ts';

const PROGRAM_ROWS = 5;
const ICON_PIXELS = 32;

interface ProgramRow {
  readonly row: ActionRow;
  readonly icon: Image;
  program: ProgramTraffic | null;
}

export class OverviewTraffic {
  readonly #context: PageContext;
  readonly #feed: OverviewFeed;
  readonly #ui: Ui;
  readonly #graph = new Graph();
  readonly #rows: ProgramRow[] = [];

  /** Fills `traffic`, `traffic_problem` and `programs` of the page. */
  constructor(context: PageContext, feed: OverviewFeed, ui: Ui) {
    this.#context = context;
    this.#feed = feed;
    this.#ui = ui;
    ui.get('graph_card', Gtk.Box).append(this.#graph.widget);
    ui.get('traffic_retry', Gtk.Button).on('clicked', () => { feed.retry(); });
    feed.changed.on(() => { this.update(); });
  }

  update(): void {
    const { state } = this.#feed;
    const { connected } = this.#context.session.knowledge;
    const ready = connected && state.kind === 'ready';
    this.#ui.get('traffic', Adw.PreferencesGroup).setVisible(ready);
    this.#ui.get('traffic_problem', Adw.PreferencesGroup).setVisible(connected && state.kind === 'failed');
    if (connected && state.kind === 'failed') this.#fillProblem(state.error);
    if (ready) this.#fillGraph();
    this.#fillPrograms(ready ? this.#feed.log.programs(PROGRAM_ROWS) : []);
  }

  #fillProblem(error: unknown): void {
    const row = this.#ui.get('traffic_problem_row', Adw.ActionRow);
    const button = this.#ui.get('traffic_retry', Gtk.Button);
    const refused = isNotAuthorized(error);
    row.setTitle(refused ? _('Seeing traffic needs a password') : _('The traffic could not be read'));
    row.setSubtitle(refused ? '' : errorText(error));
    button.setLabel(refused ? _('Unlock…') : _('Try Again'));
  }

  #fillGraph(): void {
    const nowMs = this.#context.session.clocks.wallMs();
    const own = this.#feed.log.isOnly(process.getuid?.() ?? -1);
    this.#ui.get('traffic', Adw.PreferencesGroup).setDescription(own ? _('Your own programs.') : _('All programs on this computer.'));
    this.#graph.set(this.#feed.log.samples(nowMs), { startMs: nowMs - SHOWN_MS, endMs: nowMs, unit: 'speed', axis: 'ago' });
  }

  #fillPrograms(programs: readonly ProgramTraffic[]): void {
    while (this.#rows.length < programs.length) this.#addRow();
    for (const [index, made] of this.#rows.entries()) {
      const program = programs[index];
      made.program = program ?? null;
      made.row.setVisible(program !== undefined);
      if (program !== undefined) this.#fillRow(made, program);
    }
    this.#ui.get('programs', Adw.PreferencesGroup).setVisible(programs.length > 0);
  }

  #fillRow({ row, icon }: ProgramRow, program: ProgramTraffic): void {
    const { find } = this.#context;
    const name = programName(program.path, find);
    const known = program.path === '' ? null : find(program.path);
    row.setTitle(program.uid === process.getuid?.() ? name : fill(_('{program}, run by {user}'), { program: name, user: program.user }));
    row.setSubtitle(fill(_('In {in}, out {out}  ·  {total} in all'), {
      in: rateText(program.inSpeed), out: rateText(program.outSpeed), total: sizeText(program.inBytes + program.outBytes),
    }));
    showIcon(icon, known?.icon ?? (program.path === '' ? 'dialog-question-symbolic' : 'application-x-executable'), ICON_PIXELS);
  }

  #addRow(): void {
    const ui = loadUi('program-row');
    const made: ProgramRow = { row: ui.get('row', Adw.ActionRow), icon: ui.get('icon', Gtk.Image), program: null };
    made.row.on('activated', () => { if (made.program !== null) this.#open(made.program); });
    this.#ui.get('programs', Adw.PreferencesGroup).add(made.row);
    this.#rows.push(made);
  }

  /** The application's page; the list of all where the helper does not know it as one. */
  #open({ path }: ProgramTraffic): void {
    const { session } = this.#context;
    const open: PageContext['open'] = (target) => { this.#context.open(target); };
    if (path === '') {
      open({ page: 'activity' });
      return;
    }
    session.client.listApplications({ path }, 1, '').then(
      ({ rows: [found] }) => { open(found === undefined ? { page: 'applications', search: path } : { page: 'applications', application: found.id }); },
      (error: unknown) => { this.#context.toast(errorText(error)); },
    );
  }
}
