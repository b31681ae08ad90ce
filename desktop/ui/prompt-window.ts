/** The prompt's window: one question at a time, or the list of the programs that wait. */
import type { Answer, PromptInfo } from '../../helper/contract/types.ts';
import type { Clocks } from '../client/session.ts';
import { Adw, Gdk, Gtk, realizeWidget } from '../gtk.ts';
import { _, fill } from '../i18n.ts';
import { shortDuration } from '../model/durations.ts';
import { HoldPlan } from '../model/hold-plan.ts';
import type { HoldFacts } from '../model/hold-plan.ts';
import { groupKey } from '../model/prompt-groups.ts';
import { fractionLeft } from '../model/prompt-queue.ts';
import type { WaitingPrompt } from '../model/prompt-queue.ts';
import { promptTitle, severalTitle, waitingText } from '../model/prompt-text.ts';
import { REHEARSAL } from '../model/rehearsal.ts';
import { bringForward, keepQuiet, showQuietly } from './focus.ts';
import { loadUi } from './load-ui.ts';
import { PromptList } from './prompt-list.ts';
import { PromptQuestion } from './prompt-question.ts';
import type { PromptFacts } from './prompt-question.ts';

/** Everything that decides sleeps this long, so that a keystroke meant for another window decides nothing. */
const WAKE_MS = 400;
/** The bar moves in steps that the eye takes for smooth enough; the text changes once a second. */
const TICK_MS = 200;
const URGENT_MS = 5000;
const WIDTH = 420;
/** Questions of the list whose time stands still while somebody looks at it; it is no reason to keep hundreds waiting. */
const HELD_IN_LIST = 16;

export interface PromptWindowActions {
  answer(nonce: string, answer: Answer): void;
  /** Closed without an answer. */
  later(nonce: string): void;
  /** Another of the waiting prompts was picked. */
  pick(nonce: string): void;
  /** Somebody is deciding: the prompt gets its time anew. Rejects when the helper gives none. */
  hold(nonce: string): Promise<void>;
  /** The window has become, or ceased to be, the one that the person works in. */
  active(active: boolean): void;
}

export class PromptWindow {
  readonly #actions: PromptWindowActions;
  readonly #clocks: Clocks;
  readonly #ui = loadUi('prompt-window');
  readonly #window = this.#ui.get('window', Adw.Window);
  readonly #pages = { question: this.#ui.get('question_page', Gtk.Box), list: this.#ui.get('list_page', Gtk.Box) };
  readonly #allow = this.#ui.get('allow', Gtk.Button);
  readonly #deny = this.#ui.get('deny', Gtk.Button);
  readonly #countdown = this.#ui.get('countdown', Gtk.ProgressBar);
  readonly #question: PromptQuestion;
  readonly #list: PromptList;
  readonly #find: PromptFacts['find'];
  #prompt: WaitingPrompt | null = null;
  #others: readonly WaitingPrompt[] = [];
  #rehearsed = false;
  #busy = false;
  #awake = false;
  #pointerInside = false;
  #plan = new HoldPlan();
  #wake: NodeJS.Timeout | null = null;
  #tick: NodeJS.Timeout | null = null;

  constructor(actions: PromptWindowActions, facts: PromptFacts, clocks: Clocks) {
    this.#actions = actions;
    this.#clocks = clocks;
    this.#find = facts.find;
    this.#question = new PromptQuestion(this.#ui, facts, () => { this.#window.setDefaultSize(WIDTH, -1); });
    this.#list = new PromptList(this.#ui.get('waiting_list', Gtk.ListBox), facts.find, {
      pick: (nonce) => {
        this.#setPage('question');
        if (nonce === this.nonce) this.#sleep();
        else this.#actions.pick(nonce);
      },
      deny: (prompts) => { this.#denyAll(prompts); },
    });
    keepQuiet(this.#window);
    this.#connect();
  }

  /** The nonce that the window asks about; null while it is closed. */
  get nonce(): string | null {
    return this.#prompt?.info.nonce ?? null;
  }

  get #listed(): boolean {
    return this.#pages.list.getVisible();
  }

  /**
   * Does ahead what the first question would have to wait for: code, styles, fonts and icons are loaded, and the window has its
   * surface and has been measured. Nothing is shown, and nothing can be answered.
   */
  rehearse(): void {
    if (this.#prompt !== null || this.#rehearsed) return;
    this.#rehearsed = true;
    this.#question.fill(REHEARSAL);
    realizeWidget(this.#window);
    this.#window.measure(Gtk.Orientation.HORIZONTAL, -1);
    this.#window.measure(Gtk.Orientation.VERTICAL, WIDTH);
  }

  /** Shows `prompt`, with `others` behind it. The same prompt again keeps the choices and the focus. */
  show(prompt: WaitingPrompt, others: readonly WaitingPrompt[]): void {
    const same = this.nonce === prompt.info.nonce;
    const expiredNow = same && prompt.expired && this.#prompt?.expired === false;
    this.#prompt = prompt;
    this.#others = others;
    if (!same) this.#fillQuestion(prompt);
    else if (expiredNow) this.#question.fillChoices(prompt.info);
    this.#fillWaiting();
    this.#onTick();
    this.#tick ??= setInterval(() => { this.#onTick(); }, TICK_MS);
    showQuietly(this.#window);
    // After the window is there: the toolkit gives its first focus to the first button that it finds.
    if (!same && !this.#listed) this.#startAnew();
  }

  /** Raises it on the person's own request, with the token of that click; '' without one. */
  present(token: string): void {
    if (this.#prompt !== null) bringForward(this.#window, token);
  }

  /** Calls back once when what is shown now has been drawn. */
  onDrawn(drawn: () => void): void {
    this.#window.addTickCallback(() => {
      // The frame is drawn after its tick.
      setTimeout(drawn, 0);
      return false;
    });
  }

  /** The list of all that waits instead of one question, where several wait. */
  showList(): void {
    if (this.#prompt === null || this.#others.length === 0) return;
    this.#setPage('list');
    this.#startAnew();
  }

  close(): void {
    this.#prompt = null;
    this.#others = [];
    this.#list.clear();
    this.#stopTimers();
    this.#window.setVisible(false);
    this.#setPage('question');
  }

  /** Shows why an answer was not taken; the buttons work again. */
  fail(message: string): void {
    this.#busy = false;
    this.#setPage('question');
    this.#question.say(message);
    this.#sleep();
  }

  /** Says what became of the answer, where no notification can. */
  tell(message: string): void {
    this.#busy = false;
    this.#stopTimers();
    this.#setPage('question');
    this.#question.setClosing(true);
    this.#question.say(message);
    this.#ui.get('later', Gtk.Button).grabFocus();
  }

  #connect(): void {
    this.#allow.on('clicked', () => { this.#answer('allow'); });
    this.#deny.on('clicked', () => { this.#answer('deny'); });
    this.#ui.get('deny_all', Gtk.Button).on('clicked', () => { this.#denyAll(this.#list.prompts); });
    for (const id of ['later', 'list_later']) this.#ui.get(id, Gtk.Button).on('clicked', () => { this.#later(); });
    this.#ui.get('waiting', Gtk.Button).on('clicked', () => { this.showList(); });
    this.#window.on('close-request', () => {
      this.#later();
      return true;
    });
    this.#window.on('notify::is-active', () => {
      this.#actions.active(this.#window.isActive());
      if (this.#window.isActive()) this.#sleep();
    });
    const keys = new Gtk.EventControllerKey();
    keys.on('key-pressed', (keyval) => {
      if (keyval !== Gdk.KEY_Escape) return false;
      if (this.#awake || this.#busy) this.#later();
      return true;
    });
    this.#window.addController(keys);
    const pointer = new Gtk.EventControllerMotion();
    pointer.on('enter', () => { this.#pointerInside = true; });
    pointer.on('leave', () => { this.#pointerInside = false; });
    // A window itself hears nothing of a pointer that comes and goes.
    this.#ui.get('content', Gtk.Box).addController(pointer);
    this.#window.setDefaultWidget(this.#deny);
  }

  #fillQuestion(prompt: WaitingPrompt): void {
    this.#busy = false;
    this.#plan = new HoldPlan();
    this.#window.setTitle(promptTitle(prompt.info, this.#find));
    this.#question.fill(prompt.info);
  }

  #fillWaiting(): void {
    const waiting = this.#ui.get('waiting', Gtk.Button);
    const several = this.#others.length > 0;
    if (this.#listed && !several) this.#setPage('question');
    waiting.setVisible(several && !this.#listed);
    waiting.setLabel(waitingText(this.#others.length));
    if (!this.#listed || this.#prompt === null) return;
    const all = [this.#prompt, ...this.#others];
    this.#list.fill(all);
    this.#ui.get('list_title', Gtk.Label).setLabel(severalTitle(new Set(all.map(({ info }) => groupKey(info))).size));
  }

  #setPage(page: 'question' | 'list'): void {
    this.#pages.question.setVisible(page === 'question');
    this.#pages.list.setVisible(page === 'list');
    this.#window.setDefaultSize(WIDTH, -1);
    this.#window.setDefaultWidget(page === 'list' ? null : this.#deny);
    this.#fillWaiting();
  }

  /** A new question never inherits the focus of the one before. */
  #startAnew(): void {
    this.#awake = false;
    this.#sleep();
  }

  /**
   * Puts the buttons to sleep and wakes them after a moment, with the focus on Deny unless the person has moved it. Meanwhile
   * the focus is where no key does anything.
   */
  #sleep(): void {
    if (this.#busy) return;
    const focus = this.#window.getFocus();
    const moved = this.#awake && focus !== this.#allow && focus !== this.#deny;
    this.#setAwake(false);
    if (!moved) this.#ui.get(this.#listed ? 'list_page' : 'body', Gtk.Box).grabFocus();
    if (this.#wake !== null) clearTimeout(this.#wake);
    this.#wake = setTimeout(() => {
      this.#wake = null;
      this.#setAwake(true);
      if (!moved && !this.#listed) this.#deny.grabFocus();
    }, WAKE_MS);
  }

  #setAwake(awake: boolean): void {
    this.#awake = awake;
    this.#allow.setSensitive(awake);
    this.#deny.setSensitive(awake);
    this.#ui.get('deny_all', Gtk.Button).setSensitive(awake);
    this.#list.setAwake(awake);
  }

  #answer(action: 'allow' | 'deny'): void {
    if (this.#prompt === null || this.#busy) return;
    const answer = this.#question.answer(action, this.#clocks.wallMs());
    if (answer === null) return;
    this.#busy = true;
    this.#setAwake(false);
    this.#actions.answer(this.#prompt.info.nonce, answer);
  }

  /** These connections and no more: nobody has looked at what a lasting rule would say. */
  #denyAll(prompts: readonly PromptInfo[]): void {
    for (const { nonce } of prompts) this.#actions.answer(nonce, { action: 'deny', lifetime: 'once', scope: 'host' });
  }

  #later(): void {
    const { nonce } = this;
    if (nonce !== null) this.#actions.later(nonce);
  }

  #onTick(): void {
    const prompt = this.#prompt;
    if (prompt === null) return;
    const nowMs = this.#clocks.nowMs();
    const leftMs = prompt.deadlineMs - nowMs;
    const expired = prompt.expired || leftMs <= 0;
    const facts: HoldFacts = { engaged: !expired && !this.#busy && (this.#pointerInside || this.#window.isActive()), timeoutMs: prompt.info.timeout_ms, leftMs };
    if (this.#plan.due(facts, nowMs)) this.#hold();
    const stands = this.#plan.stands(facts);
    this.#countdown.setFraction(stands ? 1 : fractionLeft(prompt, nowMs));
    if (!expired && !stands && leftMs < URGENT_MS) this.#countdown.addCssClass('urgent');
    else this.#countdown.removeCssClass('urgent');
    const text = timeText(expired, stands, leftMs);
    for (const id of ['countdown_text', 'list_time']) this.#ui.get(id, Gtk.Label).setLabel(text);
  }

  #hold(): void {
    const plan = this.#plan;
    const held = this.#listed ? [this.#prompt, ...this.#others].slice(0, HELD_IN_LIST) : [this.#prompt];
    for (const prompt of held) {
      if (prompt !== null && !prompt.expired) this.#actions.hold(prompt.info.nonce).catch(() => { plan.refuse(); });
    }
  }

  #stopTimers(): void {
    if (this.#tick !== null) clearInterval(this.#tick);
    if (this.#wake !== null) clearTimeout(this.#wake);
    this.#tick = null;
    this.#wake = null;
  }
}

function timeText(expired: boolean, stands: boolean, leftMs: number): string {
  if (expired) return _('Refused. An answer applies to the next attempt.');
  if (stands) return _('waits while you decide');
  return fill(_('refused in {time}'), { time: shortDuration(leftMs) });
}
