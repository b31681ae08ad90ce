/** The prompt's window: one question at a time, the others in a list behind the title. */
import type { Answer } from '../../helper/contract/types.ts';
import { Adw, Gdk, Gtk } from '../gtk.ts';
import { _, fill } from '../i18n.ts';
import { answerOf, defaultChoice, lifetimeChoices, scopeChoices } from '../model/choices.ts';
import type { Chosen } from '../model/choices.ts';
import { shortDuration } from '../model/durations.ts';
import { showHost } from '../model/host-name.ts';
import { visible } from '../model/plain-text.ts';
import { fractionLeft } from '../model/prompt-queue.ts';
import type { WaitingPrompt } from '../model/prompt-queue.ts';
import {
  hostTitle, programName, promptBody, promptDetails, promptSubtitle, promptTitle, promptWarning, ruleSentence, waitingText,
} from '../model/prompt-text.ts';
import type { FindProgram } from '../model/prompt-text.ts';
import type { Clocks } from '../client/session.ts';
import { loadUi } from './load-ui.ts';

/** Both buttons sleep this long, so that a keystroke meant for another window decides nothing. */
const WAKE_MS = 400;
/** The bar moves in steps that the eye takes for smooth enough; the text changes once a second. */
const TICK_MS = 200;
const URGENT_MS = 5000;
const WIDTH = 420;
/** Fits a screen of 768 lines together with the buttons. */
const DETAILS_HEIGHT = 460;

export interface PromptWindowActions {
  answer(nonce: string, answer: Answer): void;
  /** Closed without an answer. */
  later(nonce: string): void;
  /** Another of the waiting prompts was picked. */
  pick(nonce: string): void;
}

export class PromptWindow {
  readonly #actions: PromptWindowActions;
  readonly #find: FindProgram;
  readonly #clocks: Clocks;
  readonly #ui = loadUi('prompt-window');
  readonly #window = this.#ui.get('window', Adw.Window);
  readonly #allow = this.#ui.get('allow', Gtk.Button);
  readonly #deny = this.#ui.get('deny', Gtk.Button);
  readonly #scope = this.#ui.get('scope', Adw.ComboRow);
  readonly #lifetime = this.#ui.get('lifetime', Adw.ComboRow);
  readonly #countdown = this.#ui.get('countdown', Gtk.ProgressBar);
  readonly #detailRows = this.#ui.get('detail_rows', Gtk.Box);
  readonly #popover = this.#ui.get('waiting_popover', Gtk.Popover);
  readonly #waitingList = this.#ui.get('waiting_list', Gtk.ListBox);
  #prompt: WaitingPrompt | null = null;
  #others: readonly WaitingPrompt[] = [];
  #chosen: Chosen = { lifetime: 'once', scope: 'host' };
  #filling = false;
  #busy = false;
  #awake = false;
  #wake: NodeJS.Timeout | null = null;
  #tick: NodeJS.Timeout | null = null;

  constructor(actions: PromptWindowActions, find: FindProgram, clocks: Clocks) {
    this.#actions = actions;
    this.#find = find;
    this.#clocks = clocks;
    this.#connect();
  }

  /** The nonce that the window asks about; null while it is closed. */
  get nonce(): string | null {
    return this.#prompt?.info.nonce ?? null;
  }

  /** Does the person work in it at this moment? */
  get active(): boolean {
    return this.#prompt !== null && this.#window.isActive();
  }

  /** Is an answer on its way? */
  get busy(): boolean {
    return this.#prompt !== null && this.#busy;
  }

  /** Shows `prompt`, with `others` behind it. The same prompt again keeps the choices and the focus. */
  show(prompt: WaitingPrompt, others: readonly WaitingPrompt[]): void {
    const same = this.nonce === prompt.info.nonce;
    const expiredNow = same && prompt.expired && this.#prompt?.expired === false;
    this.#prompt = prompt;
    this.#others = others;
    this.#ui.get('waiting', Gtk.MenuButton).setVisible(others.length > 0);
    this.#ui.get('waiting', Gtk.MenuButton).setLabel(waitingText(others.length));
    if (this.#popover.getVisible()) this.#fillWaiting();
    if (!same) this.#fillPrompt(prompt);
    else if (expiredNow) this.#fillChoices(prompt);
    this.#onTick();
    this.#tick ??= setInterval(() => { this.#onTick(); }, TICK_MS);
    if (!this.#window.getVisible()) this.#window.present();
    // After the window is there: the toolkit gives its first focus to the first button that it finds.
    if (!same) this.#startAnew();
  }

  /** A new question never inherits the focus of the one before. */
  #startAnew(): void {
    this.#awake = false;
    this.#sleep();
  }

  /** Raises it on the person's own request. */
  present(): void {
    if (this.#prompt !== null) this.#window.present();
  }

  close(): void {
    this.#prompt = null;
    this.#stopTimers();
    this.#window.setVisible(false);
  }

  /** Shows why an answer was not taken; the buttons work again. */
  fail(message: string): void {
    this.#busy = false;
    const label = this.#ui.get('message', Gtk.Label);
    label.setLabel(message);
    label.setVisible(true);
    this.#setRoom(this.#ui.get('details', Gtk.Expander).getExpanded());
    this.#sleep();
  }

  /** Says what became of the answer, where no notification can. */
  tell(message: string): void {
    this.#busy = false;
    this.#stopTimers();
    this.#setClosing(true);
    this.#label('message', message);
    this.#setRoom(false);
    this.#ui.get('later', Gtk.Button).grabFocus();
  }

  /** Nothing is left to decide: only closing. */
  #setClosing(closing: boolean): void {
    for (const id of ['buttons', 'choices', 'countdown', 'countdown_text', 'sentence']) this.#ui.get(id, Gtk.Widget).setVisible(!closing);
    this.#ui.get('later_label', Gtk.Label).setLabel(closing ? _('_Close') : _('Decide _later'));
    const message = this.#ui.get('message', Gtk.Label);
    if (closing) message.removeCssClass('error');
    else message.addCssClass('error');
  }

  #connect(): void {
    this.#allow.on('clicked', () => { this.#answer('allow'); });
    this.#deny.on('clicked', () => { this.#answer('deny'); });
    this.#ui.get('later', Gtk.Button).on('clicked', () => { this.#later(); });
    this.#window.on('close-request', () => {
      this.#later();
      return true;
    });
    this.#window.on('notify::is-active', () => { if (this.#window.isActive()) this.#sleep(); });
    const keys = new Gtk.EventControllerKey();
    keys.on('key-pressed', (keyval) => {
      if (keyval !== Gdk.KEY_Escape) return false;
      if (this.#awake || this.#busy) this.#later();
      return true;
    });
    this.#window.addController(keys);
    this.#scope.on('notify::selected', () => { this.#choose(); });
    this.#lifetime.on('notify::selected', () => { this.#choose(); });
    this.#waitingList.on('row-activated', (row) => {
      const other = this.#others[row.getIndex()];
      this.#popover.popdown();
      if (other !== undefined) this.#actions.pick(other.info.nonce);
    });
    // Filled when it is looked at: hundreds may wait, and each that comes changes the list.
    this.#popover.on('show', () => { this.#fillWaiting(); });
    const details = this.#ui.get('details', Gtk.Expander);
    details.on('notify::expanded', () => { this.#setRoom(details.getExpanded()); });
    this.#window.setDefaultWidget(this.#deny);
  }

  /** A window keeps the height that it has once had, so details would open into a slit and leave a gap. */
  #setRoom(forDetails: boolean): void {
    this.#ui.get('scroll', Gtk.ScrolledWindow).setMinContentHeight(forDetails ? DETAILS_HEIGHT : -1);
    this.#window.setDefaultSize(WIDTH, -1);
  }

  #label(id: string, text: string): void {
    const label = this.#ui.get(id, Gtk.Label);
    label.setLabel(text);
    label.setVisible(text !== '');
  }

  #fillPrompt(prompt: WaitingPrompt): void {
    const { info } = prompt;
    const host = showHost(info.destination);
    this.#busy = false;
    this.#setClosing(false);
    this.#window.setTitle(promptTitle(info, this.#find));
    this.#label('title', promptTitle(info, this.#find));
    this.#label('path', visible(info.path));
    this.#ui.get('path', Gtk.Label).setTooltipText(visible(info.path));
    this.#label('host', hostTitle(info));
    this.#label('other_name', host.other);
    this.#label('subtitle', promptSubtitle(info, this.#find));
    this.#label('user', fill(_('as user {user}'), { user: visible(info.user, 64) }));
    this.#label('message', '');
    const warning = promptWarning(info);
    this.#label('warning_text', warning);
    this.#ui.get('warning', Gtk.Box).setVisible(warning !== '');
    this.#fillIcon(info.path);
    this.#fillChoices(prompt);
    this.#fillDetails(prompt);
    this.#ui.get('details', Gtk.Expander).setExpanded(false);
    this.#setRoom(false);
  }

  #fillIcon(path: string): void {
    const image = this.#ui.get('icon', Gtk.Image);
    const icon = this.#find(path)?.icon ?? '';
    if (icon.startsWith('/')) image.setFromFile(icon);
    else if (path === '') image.setFromIconName('bastion-firewall-ask-symbolic');
    else image.setFromIconName(icon === '' ? 'application-x-executable' : icon);
    image.setPixelSize(64);
  }

  #fillChoices(prompt: WaitingPrompt): void {
    const scopes = scopeChoices(prompt.info);
    const lifetimes = lifetimeChoices(prompt.info);
    this.#filling = true;
    this.#chosen = defaultChoice(prompt.info);
    this.#scope.setModel(Gtk.StringList.new(scopes.map((choice) => choice.label)));
    this.#scope.setSelected(scopes.findIndex((choice) => choice.value === this.#chosen.scope));
    this.#lifetime.setModel(Gtk.StringList.new(lifetimes.map((choice) => choice.label)));
    this.#lifetime.setSelected(lifetimes.findIndex((choice) => choice.value === this.#chosen.lifetime));
    this.#scope.setSensitive(scopes.length > 1);
    this.#lifetime.setSensitive(lifetimes.length > 1);
    this.#filling = false;
    this.#fillSentence(prompt);
  }

  #fillSentence(prompt: WaitingPrompt): void {
    this.#label('sentence', ruleSentence(prompt.info, 'allow', this.#chosen, this.#find));
    this.#allow.setTooltipText(ruleSentence(prompt.info, 'allow', this.#chosen, this.#find));
    this.#deny.setTooltipText(ruleSentence(prompt.info, 'deny', this.#chosen, this.#find));
  }

  #fillDetails(prompt: WaitingPrompt): void {
    for (let child = this.#detailRows.getFirstChild(); child !== null; child = this.#detailRows.getFirstChild()) {
      this.#detailRows.remove(child);
    }
    for (const detail of promptDetails(prompt.info)) {
      const row = loadUi('detail-row');
      row.get('title', Gtk.Label).setLabel(detail.title);
      row.get('text', Gtk.Label).setLabel(detail.text);
      this.#detailRows.append(row.get('row', Gtk.Box));
    }
  }

  #fillWaiting(): void {
    for (let row = this.#waitingList.getRowAtIndex(0); row !== null; row = this.#waitingList.getRowAtIndex(0)) {
      this.#waitingList.remove(row);
    }
    for (const other of this.#others) {
      const row = loadUi('waiting-row');
      row.get('title', Gtk.Label).setLabel(programName(other.info.path, this.#find));
      row.get('text', Gtk.Label).setLabel(promptBody(other.info));
      this.#waitingList.append(row.get('row', Gtk.ListBoxRow));
    }
  }

  #choose(): void {
    if (this.#filling || this.#prompt === null) return;
    const { info } = this.#prompt;
    this.#chosen = {
      scope: scopeChoices(info)[this.#scope.getSelected()]?.value ?? this.#chosen.scope,
      lifetime: lifetimeChoices(info)[this.#lifetime.getSelected()]?.value ?? this.#chosen.lifetime,
    };
    this.#fillSentence(this.#prompt);
  }

  /**
   * Puts the buttons to sleep and wakes them after a moment, with the focus on Deny unless the person has moved it. Meanwhile
   * the focus is on the text, where no key does anything.
   */
  #sleep(): void {
    if (this.#busy) return;
    const moved = this.#awake && this.#window.getFocus() !== this.#allow && this.#window.getFocus() !== this.#deny;
    this.#setAwake(false);
    if (!moved) this.#ui.get('body', Gtk.Box).grabFocus();
    if (this.#wake !== null) clearTimeout(this.#wake);
    this.#wake = setTimeout(() => {
      this.#wake = null;
      this.#setAwake(true);
      if (!moved) this.#deny.grabFocus();
    }, WAKE_MS);
  }

  #setAwake(awake: boolean): void {
    this.#awake = awake;
    this.#allow.setSensitive(awake);
    this.#deny.setSensitive(awake);
  }

  #answer(action: 'allow' | 'deny'): void {
    if (this.#prompt === null || this.#busy) return;
    this.#busy = true;
    this.#setAwake(false);
    this.#actions.answer(this.#prompt.info.nonce, answerOf(action, this.#chosen, this.#clocks.wallMs()));
  }

  #later(): void {
    const { nonce } = this;
    if (nonce !== null) this.#actions.later(nonce);
  }

  #onTick(): void {
    if (this.#prompt === null) return;
    const left = this.#prompt.deadlineMs - this.#clocks.nowMs();
    const expired = this.#prompt.expired || left <= 0;
    this.#countdown.setFraction(fractionLeft(this.#prompt, this.#clocks.nowMs()));
    if (!expired && left < URGENT_MS) this.#countdown.addCssClass('urgent');
    else this.#countdown.removeCssClass('urgent');
    this.#label('countdown_text', expired
      ? _('Refused. An answer applies to the next attempt.')
      : fill(_('refused in {time}'), { time: shortDuration(left) }));
  }

  #stopTimers(): void {
    if (this.#tick !== null) clearInterval(this.#tick);
    if (this.#wake !== null) clearTimeout(this.#wake);
    this.#tick = null;
    this.#wake = null;
  }
}
