/** State and mode in words, what limits them and how to mend it, the controls, and what goes on. */
import type { HelperSession } from '../client/session.ts';
import { OverviewFeed } from '../client/overview-feed.ts';
import type { ProfileInfo } from '../../helper/contract/types.ts';
import { MODES } from '../../helper/contract/vocabulary.ts';
import type { Mode } from '../../helper/contract/vocabulary.ts';
import { Adw, Gtk } from '../gtk.ts';
import type { Widget } from '../gtk.ts';
import { _, fill } from '../i18n.ts';
import { errorText } from '../model/error-text.ts';
import { visible } from '../model/plain-text.ts';
import { profileChoices } from '../model/profiles.ts';
import { agentWords, placeText, shieldIcon, stateWords, waitingLine } from '../model/status-text.ts';
import type { Knowledge } from '../model/status-text.ts';
import { nameChoices } from './choice-list.ts';
import { askToEnforce } from './enforce-question.ts';
import { InstallSteps } from './install-steps.ts';
import { loadUi } from './load-ui.ts';
import { RemedyButton } from './mend.ts';
import { lockRow } from './needs-password.ts';
import { OverviewFigures } from './overview-figures.ts';
import { OverviewRefused } from './overview-refused.ts';
import { OverviewTraffic } from './overview-traffic.ts';
import type { Page, PageContext } from './page.ts';
import { addTrayHint } from './tray-hint.ts';
import { SecondTicker } from './second-ticker.ts';
import { TextRows, groupHolder } from './text-rows.ts';

/** More problems than this are counted, not listed. */
const PROBLEM_ROWS = 20;
const PAUSES = [['pause_5', 300], ['pause_30', 1800], ['pause_60', 3600]] as const;
const SHIELDS = ['protecting', 'learning', 'prompt', 'degraded', 'paused', 'safeguard', 'off'] as const;

export class OverviewPage implements Page {
  readonly #session: HelperSession;
  readonly #context: PageContext;
  readonly #ui = loadUi('overview-page');
  readonly #mode = this.#ui.get('mode', Adw.ComboRow);
  readonly #profile = this.#ui.get('profile', Adw.ComboRow);
  readonly #figures = new OverviewFigures(this.#ui.get('figures', Adw.PreferencesGroup), this.#ui.get('more_figures', Adw.PreferencesGroup));
  readonly #problems = new TextRows(groupHolder(this.#ui.get('problems', Adw.PreferencesGroup)));
  readonly #errors = new TextRows(groupHolder(this.#ui.get('errors', Adw.PreferencesGroup)));
  readonly #agent = new TextRows(groupHolder(this.#ui.get('agent', Adw.PreferencesGroup)));
  readonly #install: InstallSteps;
  readonly #remedies: readonly [RemedyButton, RemedyButton];
  readonly #feed: OverviewFeed;
  readonly #traffic: OverviewTraffic;
  readonly #refused: OverviewRefused;
  readonly #ticker = new SecondTicker(() => { this.#fillState(); });
  #profiles: readonly ProfileInfo[] = [];
  /** What the profiles were read for: the active one, or '' before. */
  #profilesFor: string | null = null;
  #shown = false;
  #filling = false;

  constructor(context: PageContext) {
    const { session } = context;
    this.#session = session;
    this.#context = context;
    this.#feed = new OverviewFeed(session);
    this.#traffic = new OverviewTraffic(context, this.#feed, this.#ui);
    this.#refused = new OverviewRefused(context, this.#feed, this.#ui);
    const failed = (message: string): void => { context.toast(message); };
    this.#install = new InstallSteps(this.#ui.get('install', Adw.PreferencesGroup), failed);
    const enforce = (): void => { context.open({ page: 'suggestions' }); };
    this.#remedies = [
      new RemedyButton(this.#ui.get('remedy', Gtk.Button), session, failed, enforce),
      new RemedyButton(this.#ui.get('other', Gtk.Button), session, failed, enforce),
    ];
    for (const row of [this.#mode, this.#profile]) nameChoices(row);
    this.#mode.setModel(Gtk.StringList.new([_('Enforcing'), _('Learning')]));
    lockRow(this.#mode);
    lockRow(this.#profile);
    addTrayHint(this.#ui.get('tray_hint', Gtk.Box), context.settings);
    this.#connect();
    session.changed.on(() => {
      if (this.#shown) this.update();
      else this.#fillState();
    });
    session.rulesChanged.on(() => { this.#profilesFor = null; });
  }

  get widget(): Widget {
    return this.#ui.get('page', Gtk.Widget);
  }

  shown(): void {
    this.#shown = true;
    this.#feed.start();
    this.update();
  }

  hidden(): void {
    this.#shown = false;
    this.#profilesFor = null;
    this.#feed.stop();
    this.#ticker.set(false);
  }

  /** Puts what stands side by side one below the other. */
  setNarrow(narrow: boolean): void {
    const orientation = narrow ? Gtk.Orientation.VERTICAL : Gtk.Orientation.HORIZONTAL;
    this.#ui.get('pause_box', Gtk.Box).setOrientation(orientation);
    this.#ui.get('remedies', Gtk.Box).setOrientation(orientation);
    // Above its words the shield leaves the whole width to them, which large text needs.
    this.#ui.get('state', Gtk.Box).setOrientation(orientation);
  }

  update(): void {
    const known = this.#session.knowledge;
    this.#fillState();
    this.#fillControls(known);
    this.#fillLists(known);
    this.#traffic.update();
    this.#refused.update();
    this.#figures.fill(known.connected ? known.status?.statistics ?? null : null);
    this.#readProfiles();
  }

  #connect(): void {
    this.#mode.on('notify::selected', () => {
      const mode = MODES[this.#mode.getSelected()];
      if (this.#filling || mode === undefined || mode === this.#session.knowledge.status?.mode) return;
      this.#wantMode(mode);
    });
    this.#profile.on('notify::selected', () => {
      const choice = profileChoices(this.#profiles).choices[this.#profile.getSelected()];
      if (this.#filling || choice === undefined) return;
      this.#run(this.#session.client.setProfile(choice.id));
    });
    for (const [id, seconds] of PAUSES) {
      this.#ui.get(id, Gtk.Button).on('clicked', () => { this.#run(this.#session.client.pause(seconds)); });
    }
    this.#ui.get('waiting_row', Adw.ActionRow).on('activated', () => { this.#context.open({ page: 'inbox' }); });
  }

  /** The row says what is, also while the question before enforcing is open. */
  #wantMode(mode: Mode): void {
    if (mode !== 'enforcing') {
      this.#run(this.#session.client.setMode(mode));
      return;
    }
    this.#fillControls(this.#session.knowledge);
    askToEnforce(this.#context);
  }

  /** A refusal is said, and the controls go back to what is. */
  #run(call: Promise<void>): void {
    call.then(
      () => { this.#profilesFor = null; },
      (error: unknown) => { this.#context.toast(errorText(error)); },
    ).finally(() => { if (this.#shown) this.update(); }).catch(() => undefined);
  }

  #fillState(): void {
    const words = stateWords(this.#session.knowledge, this.#session.clocks.wallMs());
    const icon = this.#ui.get('icon', Gtk.Image);
    icon.setFromIconName(shieldIcon(words.shield));
    for (const shield of SHIELDS) icon.removeCssClass(shield);
    icon.addCssClass(words.shield);
    this.#ui.get('title', Gtk.Label).setLabel(words.title);
    // The reasons themselves stand below.
    const degraded = words.shield === 'degraded' && words.other === undefined;
    this.#ui.get('text', Gtk.Label).setLabel(degraded ? _('Some of the protection is missing.') : [words.text, words.cause ?? ''].join(' ').trimEnd());
    this.#remedies[0].set(words.remedy);
    this.#remedies[1].set(words.other ?? 'none');
    this.#ui.get('remedies', Gtk.Box).setVisible(words.remedy !== 'none');
    this.#ticker.set(this.#shown && words.other !== undefined);
  }

  #fillControls(known: Knowledge): void {
    const { status } = known;
    const usable = known.connected && status !== null && status.state !== 'off';
    this.#filling = true;
    if (status !== null) this.#mode.setSelected(MODES.indexOf(status.mode));
    this.#mode.setSensitive(usable);
    const { choices, selected } = profileChoices(this.#profiles);
    if (choices.length > 0 && this.#profile.getSelected() !== selected) this.#profile.setSelected(selected);
    this.#profile.setSensitive(usable);
    const pause = this.#ui.get('pause_row', Gtk.ListBoxRow);
    pause.setVisible(status?.state !== 'paused');
    pause.setSensitive(usable);
    this.#filling = false;
  }

  /** Again when another one is active, or rules were loaded: bastion.toml may name others then. */
  #readProfiles(): void {
    const { connected, status } = this.#session.knowledge;
    if (!connected || status === null || this.#profilesFor === status.profile) return;
    this.#profilesFor = status.profile;
    this.#session.client.profiles().then(
      (profiles) => {
        this.#profiles = profiles;
        this.#filling = true;
        this.#profile.setModel(Gtk.StringList.new(profileChoices(profiles).choices.map(({ text }) => text)));
        this.#profile.setVisible(profiles.length > 0);
        this.#fillControls(this.#session.knowledge);
      },
      () => undefined,
    );
  }

  #fillLists(known: Knowledge): void {
    const status = known.connected ? known.status : null;
    this.#install.update(known);
    this.#ui.get('waiting', Adw.PreferencesGroup).setVisible(known.connected && known.waiting > 0);
    this.#ui.get('waiting_row', Adw.ActionRow).setTitle(waitingLine(known.waiting));
    const reasons = (status?.degradedReasons ?? []).map((reason) => ({
      title: visible(reason.text, 400), text: reason.remedy === '' ? '' : fill(_('What to do: {remedy}'), { remedy: visible(reason.remedy, 400) }),
      value: '',
    }));
    this.#problems.fill(reasons.slice(0, PROBLEM_ROWS));
    this.#agent.fill(known.connected && known.agentProblem !== null ? [{ ...agentWords(known.agentProblem), value: '' }] : []);
    this.#errors.fill((status?.loadErrors ?? []).slice(0, PROBLEM_ROWS).map((error) => ({
      title: placeText(error), text: visible(error.message, 400), value: '',
    })));
  }
}
