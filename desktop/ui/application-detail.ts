/** One application: whether its file is as it was, its rules, its traffic, where it connects, who starts it. */
import { readRecord } from '../client/application-record.ts';
import type { ApplicationRecord } from '../client/application-record.ts';
import { Refresher } from '../client/refresher.ts';
import type { ApplicationInfo, FlowInfo } from '../../helper/contract/types.ts';
import { Adw, Gtk } from '../gtk.ts';
import type { Widget } from '../gtk.ts';
import { _, fill } from '../i18n.ts';
import { countedElsewhere, destinationRows, graphOf, RECORD_RANGES, refusedRow, starterRows } from '../model/application-record.ts';
import type { RecordRange } from '../model/application-record.ts';
import { blockRule, canBeNamed, draftRule, names } from '../model/application-rule.ts';
import { applicationFacts, applicationIcon, applicationName, placeText, stateWords } from '../model/application-text.ts';
import { errorText } from '../model/error-text.ts';
import { flowDraft } from '../model/flow-draft.ts';
import { ruleSubtitle, ruleText } from '../model/rule-text.ts';
import { showState } from './application-row.ts';
import { ConfirmDialog } from './confirm-dialog.ts';
import { Graph } from './graph.ts';
import { loadUi } from './load-ui.ts';
import { lockButton } from './needs-password.ts';
import { PageStates } from './page-states.ts';
import type { PageContext } from './page.ts';
import { checkFile } from './rehash.ts';
import { FactRows, LinkRows } from './row-group.ts';
import { showIcon } from './show-icon.ts';

const ICON_PIXELS = 64;
/** Five questions to the history each time. */
const REFRESH_MS = 5000;
const RULE_ROWS = 50;

export class ApplicationDetail {
  readonly #context: PageContext;
  readonly #ui = loadUi('application-detail');
  readonly #states = new PageStates(this.#ui.get('page', Gtk.ScrolledWindow));
  readonly #graph = new Graph();
  readonly #rules = new LinkRows(this.#ui.get('rules', Adw.PreferencesGroup));
  readonly #destinations = new LinkRows(this.#ui.get('destinations', Adw.PreferencesGroup));
  readonly #refused = new LinkRows(this.#ui.get('refused', Adw.PreferencesGroup));
  readonly #starters = new LinkRows(this.#ui.get('starters', Adw.PreferencesGroup));
  readonly #facts = new FactRows(this.#ui.get('facts', Adw.PreferencesGroup));
  readonly #refresher: Refresher;
  /** Id, or path, of what is shown; answers for another one come too late. */
  #wanted = '';
  #info: ApplicationInfo | null = null;

  constructor(context: PageContext) {
    this.#context = context;
    const { session } = context;
    this.#refresher = new Refresher(() => this.#read(), session.clocks.nowMs, REFRESH_MS);
    this.#ui.get('graph_box', Gtk.Box).append(this.#graph.widget);
    lockButton(this.#ui.get('allow', Gtk.Button), _('_Allow…'));
    lockButton(this.#ui.get('block', Gtk.Button), _('_Block Everything…'));
    this.#connect();
    session.client.on('applicationsChanged', () => { this.#refresher.ask(); });
    session.client.on('connected', () => { this.#refresher.now(); });
    session.rulesChanged.on(() => { if (this.#info !== null) this.#fillRules(this.#info); });
  }

  get widget(): Widget {
    return this.#states.widget;
  }

  /** `application`: an id, or the absolute path of its file; `info` is what is known of it already. */
  open(application: string, info: ApplicationInfo | null): void {
    if (this.#wanted !== application) {
      this.#wanted = application;
      this.#fillRecord({ series: [], destinations: [], refused: [], lineages: [] });
      this.#ui.get('page', Gtk.ScrolledWindow).getVadjustment().setValue(0);
    }
    this.#info = info;
    if (info === null) this.#states.showLoading(_('Reading the application…'));
    else this.#fill(info);
  }

  shown(): void {
    this.#refresher.start();
  }

  hidden(): void {
    this.#refresher.stop();
  }

  setNarrow(narrow: boolean): void {
    const { HORIZONTAL, VERTICAL } = Gtk.Orientation;
    this.#ui.get('buttons', Gtk.Box).setOrientation(narrow ? VERTICAL : HORIZONTAL);
  }

  get #range(): RecordRange {
    return RECORD_RANGES.find((range) => this.#ui.get(`range_${range}`, Gtk.ToggleButton).getActive()) ?? 'day';
  }

  #connect(): void {
    for (const range of RECORD_RANGES) {
      const button = this.#ui.get(`range_${range}`, Gtk.ToggleButton);
      button.on('toggled', () => { if (button.getActive()) this.#refresher.now(); });
    }
    this.#ui.get('rehash', Gtk.Button).on('clicked', () => { if (this.#info !== null) checkFile(this.#context, this.#info); });
    this.#ui.get('allow', Gtk.Button).on('clicked', () => { if (this.#info !== null) this.#context.editRule(null, draftRule(this.#info, 'allow')); });
    this.#ui.get('add_rule', Gtk.Button).on('clicked', () => { if (this.#info !== null) this.#context.editRule(null, draftRule(this.#info, 'allow')); });
    this.#ui.get('block', Gtk.Button).on('clicked', () => { if (this.#info !== null) this.#block(this.#info); });
  }

  async #read(): Promise<void> {
    const wanted = this.#wanted;
    const range = this.#range;
    const { client, clocks } = this.#context.session;
    try {
      const filter = wanted.startsWith('/') ? { path: wanted } : { id: wanted };
      const info = (await client.listApplications(filter, 1, '')).rows[0];
      if (wanted !== this.#wanted) return;
      if (info === undefined) {
        this.#showUnknown();
        return;
      }
      this.#fill(info);
      const record = await readRecord(client, info, range, clocks.wallMs());
      if (wanted === this.#wanted && range === this.#range) this.#fillRecord(record);
    } catch (error: unknown) {
      if (wanted === this.#wanted) this.#states.showError(error, () => { this.#refresher.now(); });
    }
  }

  #showUnknown(): void {
    this.#states.showMessage({
      icon: 'dialog-question-symbolic', title: _('This application is not known'),
      text: _('It has no rule, and has not connected, or what was known about it was deleted.'),
    });
  }

  #fill(info: ApplicationInfo): void {
    this.#info = info;
    const words = stateWords(info);
    showIcon(this.#ui.get('icon', Gtk.Image), applicationIcon(info, this.#context.find), ICON_PIXELS);
    this.#label('name', applicationName(info, this.#context.find));
    this.#label('place', placeText(info));
    this.#label('sentence', words.sentence);
    showState(this.#ui, 'state', words);
    const rehash = this.#ui.get('rehash', Gtk.Button);
    lockButton(rehash, info.state === 'changed' ? _('_Rehash…') : _('_Check File'));
    rehash.setVisible(info.path !== '' && info.state !== 'missing');
    const nameable = canBeNamed(info);
    for (const id of ['allow', 'block', 'add_rule']) this.#ui.get(id, Gtk.Button).setVisible(nameable);
    this.#facts.fill(applicationFacts(info, this.#context.session.clocks.wallMs()));
    this.#fillRules(info);
    this.#states.showContent();
  }

  #fillRules(info: ApplicationInfo): void {
    const { rules: known, clocks } = this.#context.session;
    const own = known.kind === 'ready' ? known.rules.filter((rule) => names(rule, info)) : [];
    this.#rules.fill(own.slice(0, RULE_ROWS).map((rule) => ({
      title: ruleText(rule, this.#context.find, clocks.wallMs()), subtitle: ruleSubtitle(rule, clocks.wallMs()),
      icon: `bastion-firewall-${rule.action}-symbolic`, look: rule.action,
      open: () => { if (rule.editable) this.#context.editRule(rule); else this.#context.open({ page: 'rules', item: rule.id }); },
    })));
    const description = own.length === 0 ? _('No rule names it.') : '';
    this.#ui.get('rules', Adw.PreferencesGroup).setDescription(description);
  }

  #fillRecord(record: ApplicationRecord): void {
    const info = this.#info;
    const nowMs = this.#context.session.clocks.wallMs();
    const { samples, options } = graphOf(record.series, this.#range, nowMs);
    this.#graph.set(samples, options);
    const elsewhere = info === null ? '' : countedElsewhere(info);
    this.#ui.get('graph_box', Gtk.Box).setVisible(record.series.length > 0);
    this.#group('traffic', record.series.length, elsewhere || _('Nothing was recorded in this time.'));
    const destinations = destinationRows(record.destinations);
    this.#destinations.fill(destinations.map(({ host, ...row }) => ({
      ...row, ...(host === '' || info === null ? {} : { open: () => { this.#context.open({ page: 'activity', application: info.id, search: host }); } }),
    })));
    this.#group('destinations', destinations.length, _('Nothing was recorded in this time.'));
    this.#refused.fill(record.refused.map((flow) => this.#refusedRow(flow, nowMs)));
    this.#ui.get('refused', Adw.PreferencesGroup).setVisible(record.refused.length > 0);
    const starters = starterRows(record.lineages, this.#context.find);
    this.#starters.fill(starters);
    this.#ui.get('starters', Adw.PreferencesGroup).setVisible(starters.length > 0);
  }

  #refusedRow(flow: FlowInfo, nowMs: number): Parameters<LinkRows['fill']>[0][number] {
    const info = this.#info;
    const row = { ...refusedRow(flow, nowMs), icon: `bastion-firewall-${flow.action}-symbolic`, look: flow.action };
    if (info === null || !canBeNamed(info)) return row;
    return { ...row, button: { label: _('Allow…'), run: () => { this.#draftFrom(flow); } } };
  }

  /** Who it was is asked first: the rule names the program by what stays the same over updates. */
  #draftFrom(flow: FlowInfo): void {
    this.#context.session.client.explain(flow.id).then(
      (why) => {
        const drafted = flowDraft(flow, why);
        if (drafted.kind === 'draft') this.#context.editRule(null, drafted.draft);
        else this.#context.toast(drafted.why);
      },
      (error: unknown) => { this.#context.toast(errorText(error)); },
    );
  }

  #group(id: string, rows: number, empty: string): void {
    this.#ui.get(id, Adw.PreferencesGroup).setDescription(rows === 0 ? empty : '');
  }

  #block(info: ApplicationInfo): void {
    const { client } = this.#context.session;
    const name = applicationName(info, this.#context.find);
    const run = async (): Promise<void> => {
      const id = await client.addRule(blockRule(info));
      this.#context.session.loadRules();
      this.#context.toast(fill(_('{name} is blocked'), { name }), () => { this.#unblock(id); });
    };
    new ConfirmDialog(fill(_('Block Everything From {name}?'), { name }), [
      { icon: 'bastion-firewall-deny-symbolic', text: _('It may not reach any host, whatever your other rules say.') },
      { icon: 'view-list-symbolic', text: _('This adds a rule. Delete that rule to undo it.') },
    ], [{ label: _('_Block Everything'), style: 'destructive', run }]).present(this.#context.window);
  }

  #unblock(id: string): void {
    this.#context.session.client.removeRule(id).then(
      () => { this.#context.session.loadRules(); },
      (error: unknown) => { this.#context.toast(errorText(error)); },
    );
  }

  #label(id: string, text: string): void {
    this.#ui.get(id, Gtk.Label).setLabel(text);
  }
}
