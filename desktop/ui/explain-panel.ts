/** Why one connection was decided as it was, what is known of it, and what can be done about it. */
import { BastionError } from '../../helper/contract/errors.ts';
import type { Explanation, FlowInfo, RuleEdit } from '../../helper/contract/types.ts';
import { RULE_ACTIONS } from '../../helper/contract/vocabulary.ts';
import type { HelperSession } from '../client/session.ts';
import { Gdk, Gtk } from '../gtk.ts';
import type { Widget } from '../gtk.ts';
import { _ } from '../i18n.ts';
import { flowDraft } from '../model/flow-draft.ts';
import { detailsText, explainSentences, flowDetails } from '../model/flow-explain.ts';
import { flowDestination, flowProgram } from '../model/flow-match.ts';
import { flowHost, flowName, flowService, flowTexts } from '../model/flow-text.ts';
import type { FindProgram } from '../model/program-name.ts';
import { copyText } from './copy-text.ts';
import { loadUi } from './load-ui.ts';
import { PageStates } from './page-states.ts';

export interface ExplainActions {
  close(): void;
  makeRule(draft: RuleEdit): void;
  showRule(id: string): void;
  onlyProgram(program: string): void;
  onlyDestination(destination: string): void;
  toast(text: string): void;
}

interface Shown {
  readonly flow: FlowInfo;
  readonly why: Explanation;
}

export class ExplainPanel {
  readonly #session: HelperSession;
  readonly #find: FindProgram;
  readonly #actions: ExplainActions;
  readonly #ui = loadUi('explain-panel');
  readonly #states = new PageStates(this.#ui.get('content', Gtk.ScrolledWindow));
  #id = '';
  #shown: Shown | null = null;

  constructor(session: HelperSession, find: FindProgram, actions: ExplainActions) {
    this.#session = session;
    this.#find = find;
    this.#actions = actions;
    this.#ui.get('column', Gtk.Box).append(this.#states.widget);
    this.#connect();
  }

  get widget(): Widget {
    return this.#ui.get('panel', Gtk.Box);
  }

  /** The flow that it is about, '' for none. */
  get id(): string {
    return this.#id;
  }

  /** Reads what the helper knows of the flow. `row` is what the list has of it, null where it has nothing. */
  show(id: string, row: FlowInfo | null): void {
    this.#id = id;
    this.#states.showLoading(_('Reading the connection…'));
    this.#session.client.explain(id).then(
      (why) => { if (id === this.#id) this.#fill(why, why.flow_info ?? row); },
      (error: unknown) => { if (id === this.#id) this.#fail(error, id, row); },
    );
  }

  clear(): void {
    this.#id = '';
    this.#shown = null;
  }

  focus(): void {
    this.#ui.get('close', Gtk.Button).grabFocus();
  }

  #connect(): void {
    const on = (id: string, run: (shown: Shown) => void): void => {
      this.#ui.get(id, Gtk.Button).on('clicked', () => { if (this.#shown !== null) run(this.#shown); });
    };
    this.#ui.get('close', Gtk.Button).on('clicked', () => { this.#actions.close(); });
    on('make_rule', ({ flow, why }) => {
      const draft = flowDraft(flow, why);
      if (draft.kind === 'draft') this.#actions.makeRule(draft.draft);
    });
    on('show_rule', ({ why }) => { this.#actions.showRule(why.rule_id); });
    on('only_program', ({ flow }) => { this.#actions.onlyProgram(flowProgram(flow)); });
    on('only_destination', ({ flow }) => { this.#actions.onlyDestination(flowDestination(flow)); });
    on('copy', (shown) => { this.#copy(shown); });
    const keys = new Gtk.EventControllerKey();
    keys.on('key-pressed', (key) => {
      if (key !== Gdk.KEY_Escape) return false;
      this.#actions.close();
      return true;
    });
    this.widget.addController(keys);
  }

  #fail(error: unknown, id: string, row: FlowInfo | null): void {
    this.#shown = null;
    if (error instanceof BastionError && error.code === 'NotFound') {
      this.#states.showMessage({ icon: 'edit-clear-all-symbolic', title: _('No Longer There'), text: _('This connection is no longer in the history.') });
    } else {
      this.#states.showError(error, () => { this.show(id, row); });
    }
  }

  #ruleName(id: string): string | null {
    const { rules } = this.#session;
    return rules.kind === 'ready' ? (rules.rules.find((rule) => rule.id === id)?.name ?? null) : id;
  }

  #fill(why: Explanation, flow: FlowInfo | null): void {
    if (flow === null) {
      this.#fail(new BastionError('NotFound'), this.#id, null);
      return;
    }
    this.#shown = { flow, why };
    const texts = flowTexts(flow, { find: this.#find, nowMs: this.#session.clocks.wallMs(), uid: flow.uid });
    const icon = this.#ui.get('icon', Gtk.Image);
    if (texts.icon.startsWith('/')) icon.setFromFile(texts.icon);
    else icon.setFromIconName(texts.icon);
    const set = (id: string, text: string): void => {
      const label = this.#ui.get(id, Gtk.Label);
      label.setLabel(text);
      label.setVisible(text !== '');
    };
    set('name', flowName(flow, this.#find));
    set('host', flowHost(flow));
    set('service', flowService(flow));
    const [first = '', ...others] = explainSentences(why, (id) => this.#ruleName(id));
    set('decided', first);
    set('next', others.join(' '));
    const verdict = this.#ui.get('verdict_icon', Gtk.Image);
    verdict.setFromIconName(texts.verdictIcon);
    for (const action of RULE_ACTIONS) verdict.removeCssClass(action);
    verdict.addCssClass(flow.action === 'ask' ? 'deny' : flow.action);
    this.#fillButtons({ flow, why });
    this.#fillDetails({ flow, why });
    this.#states.showContent();
  }

  #fillButtons({ flow, why }: Shown): void {
    const draft = flowDraft(flow, why);
    const refusal = this.#ui.get('no_rule', Gtk.Label);
    this.#ui.get('make_rule', Gtk.Button).setSensitive(draft.kind === 'draft');
    refusal.setVisible(draft.kind === 'none');
    refusal.setLabel(draft.kind === 'none' ? draft.why : '');
    this.#ui.get('show_rule', Gtk.Button).setVisible(why.rule_id !== '' && this.#ruleName(why.rule_id) !== null);
  }

  #fillDetails({ flow, why }: Shown): void {
    const rows = this.#ui.get('details', Gtk.Box);
    for (let child = rows.getFirstChild(); child !== null; child = rows.getFirstChild()) rows.remove(child);
    for (const detail of flowDetails(flow, why, this.#find)) {
      const row = loadUi('detail-row');
      row.get('title', Gtk.Label).setLabel(detail.title);
      row.get('text', Gtk.Label).setLabel(detail.text);
      rows.append(row.get('row', Gtk.Box));
    }
  }

  #copy({ flow, why }: Shown): void {
    const head = [flowTexts(flow, { find: this.#find, nowMs: this.#session.clocks.wallMs(), uid: flow.uid }).sentence];
    const text = detailsText(head, explainSentences(why, (id) => this.#ruleName(id)), flowDetails(flow, why, this.#find));
    copyText(text);
    this.#actions.toast(_('Details copied'));
  }
}
