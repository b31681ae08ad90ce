/**
 * Notifications through libnotify: one for prompts, one for the state, and short news. Each is closed with what it speaks of
 * and with the application, because a server keeps a critical one on the screen after its sender has gone.
 */
import { GLib, loadNotify } from '../glib.ts';
import type { Notification, NotifyNamespace } from '../glib.ts';
import { escapeMarkup } from '../model/plain-text.ts';
import type { Notice, NoticeUrgency } from '../model/state-notices.ts';
import { iconOutside } from '../sandbox.ts';
import { NO_RULES } from './rules.ts';
import type { NotificationRules } from './rules.ts';
import type { Capabilities } from './server.ts';

/** Of the icon, and of the desktop file that servers show the application's name and settings by. */
const APPLICATION = 'org.bastionfirewall.Desktop';
/** News that are closed when the application ends; older ones have left the screen by themselves. */
const NEWS_LIMIT = 8;
/** A click so soon after a question has appeared was meant for what was there before: the question is asked again. */
const WAKE_MS = 500;
/** Where a notification cannot be changed in its place it is not shown anew sooner than this. */
const CALM_MS = 1000;

export interface NotificationButton {
  readonly id: string;
  readonly label: string;
  /** `token` lets a window come to the front for this click; '' where the server gave none. */
  readonly run: (token: string) => void;
  /**
   * It answers something: a click in the first moment was meant for what was there before, and is not taken; and it is not
   * offered while nobody is here.
   */
  readonly decides?: boolean;
}

interface Content {
  readonly summary: string;
  /** Plain text. */
  readonly body: string;
  readonly urgency: NoticeUrgency;
  readonly buttons: readonly NotificationButton[];
  /** Name in the theme, or an absolute path. */
  readonly icon: string;
}

export class Notifier {
  readonly #notify: NotifyNamespace | null;
  readonly #capabilities: () => Capabilities;
  readonly #rules: NotificationRules;
  readonly #prompt: Slot;
  readonly #state: Slot;
  readonly #news: Slot[] = [];
  #asked: Content | null = null;
  /** What speaks of the state, with all its buttons. */
  #told: Content | null = null;
  #away = false;

  constructor(capabilities: () => Capabilities, rules: NotificationRules = NO_RULES) {
    this.#capabilities = capabilities;
    this.#rules = rules;
    this.#notify = start();
    this.#prompt = new Slot();
    this.#state = new Slot();
    rules.onChanged(() => { this.#onRules(); });
  }

  /** Can a prompt be answered in a notification? */
  get canAsk(): boolean {
    return this.#notify !== null && this.#capabilities().actions && !this.#rules.refused;
  }

  /** Replaces the prompt's notification, in its place. `body` is plain text. False when the server did not take it. */
  ask(summary: string, body: string, buttons: readonly NotificationButton[], icon: string = APPLICATION): boolean {
    if (!this.canAsk) return false;
    // Only the safeguard breaks through Do Not Disturb: a prompt then waits in the list and in the tray.
    const content: Content = { summary, body, urgency: this.#urgency, buttons, icon };
    this.#asked = content;
    return this.#put(this.#prompt, content, true);
  }

  /** Says something that needs no answer. False when nobody can have seen it. */
  tell(summary: string, body: string, urgency: 'low' | 'normal' = 'normal', buttons: readonly NotificationButton[] = []): boolean {
    const slot = new Slot();
    this.#news.push(slot);
    if (this.#news.length > NEWS_LIMIT) this.#news.shift();
    return this.#put(slot, { summary, body, urgency, buttons, icon: APPLICATION }, false);
  }

  /** Replaces the notification that speaks of the firewall's state; `critical` stays until it is closed. */
  tellState(notice: Notice, buttons: readonly NotificationButton[]): boolean {
    const { title, body, urgency, icon } = notice;
    this.#told = { summary: title, body, urgency, buttons, icon };
    return this.#put(this.#state, this.#told, urgency === 'critical');
  }

  /** Nobody is here to decide, or somebody is again: what is shown loses the buttons that decide, or gets them back. */
  setAway(away: boolean): void {
    if (away === this.#away) return;
    this.#away = away;
    const told = this.#told;
    if (told === null || !this.#state.shown || !told.buttons.some(({ decides }) => decides === true)) return;
    this.#put(this.#state, told, told.urgency === 'critical');
  }

  closeState(): void {
    this.#told = null;
    this.#state.close();
  }

  /** Closes the prompt's. */
  close(): void {
    this.#asked = null;
    this.#prompt.close();
  }

  /** The application ends. */
  closeAll(): void {
    this.close();
    for (const slot of [this.#state, ...this.#news]) slot.close();
  }

  get #urgency(): NoticeUrgency {
    return this.#rules.quiet ? 'normal' : 'critical';
  }

  /** What waited silently comes to the front when Do Not Disturb ends. */
  #onRules(): void {
    const asked = this.#asked;
    if (asked !== null && this.#prompt.shown && asked.urgency !== this.#urgency) this.ask(asked.summary, asked.body, asked.buttons, asked.icon);
  }

  #put(slot: Slot, content: Content, stays: boolean): boolean {
    const capabilities = this.#capabilities();
    if (this.#notify === null || !capabilities.there || this.#rules.refused) return false;
    const body = capabilities.markup ? escapeMarkup(content.body) : content.body;
    const offered = this.#offered(content.buttons);
    const buttons = capabilities.showsDefault ? withoutDouble(offered) : offered;
    return slot.show(this.#notify, { ...content, body, buttons: capabilities.actions ? buttons : [] }, {
      stays, replaces: capabilities.replaces,
    });
  }

  /** A server may be late with taking a button away, so it also does nothing meanwhile. */
  #offered(buttons: readonly NotificationButton[]): readonly NotificationButton[] {
    return buttons.filter(({ decides }) => decides !== true || !this.#away).map((button) => (
      button.decides === true ? { ...button, run: (token: string) => { if (!this.#away) button.run(token); } } : button
    ));
  }
}

interface Manner {
  readonly stays: boolean;
  /** The server can change a notification with its buttons. */
  readonly replaces: boolean;
}

/** One place on the screen: what is shown there, or nothing. */
class Slot {
  #notification: Notification | null = null;
  #shownMs = Number.NEGATIVE_INFINITY;
  #icon = '';
  #later: NodeJS.Timeout | null = null;

  get shown(): boolean {
    return this.#notification !== null || this.#later !== null;
  }

  /** False when the server did not take it. */
  show(notify: NotifyNamespace, content: Content, how: Manner): boolean {
    this.#cancel();
    const wait = this.#shownMs + CALM_MS - performance.now();
    if (!how.replaces && this.#notification !== null && wait > 0) {
      // It would be taken away and brought back: not with every prompt of a burst.
      this.#later = setTimeout(() => { this.show(notify, content, how); }, wait);
      return true;
    }
    // libnotify 0.8 sends the first icon again with what has changed, and Plasma shows that one.
    if (!how.replaces || content.icon !== this.#icon) this.close();
    this.#icon = content.icon;
    const notification = this.#renewed(content) ?? this.#make(notify, content);
    this.#notification = null;
    notification.setUrgency({ low: notify.Urgency.LOW, normal: notify.Urgency.NORMAL, critical: notify.Urgency.CRITICAL }[content.urgency]);
    notification.setTimeout(how.stays ? notify.EXPIRES_NEVER : notify.EXPIRES_DEFAULT);
    let decided = false;
    for (const button of content.buttons) {
      notification.addAction(button.id, button.label, () => {
        const decides = button.decides === true;
        // A second click, while the server takes the notification away, would decide what is decided already.
        if (decides && decided) return;
        const token = tokenOf(notification);
        const early = decides && performance.now() - this.#shownMs < WAKE_MS;
        if (decides && !early) decided = true;
        // libnotify is still inside the signal: what the button does may close the notification.
        setTimeout(() => { if (early) this.#again(notify, content, how); else button.run(token); }, 0);
      });
    }
    this.#shownMs = performance.now();
    if (!attempt(() => notification.show())) return false;
    this.#notification = notification;
    return true;
  }

  #make(notify: NotifyNamespace, content: Content): Notification {
    const notification = make(notify, content);
    // Put away by the person or the server: it is not brought back by a change of what it said.
    notification.on('closed', () => { if (this.#notification === notification) this.#notification = null; });
    return notification;
  }

  /** The same question, which was clicked too early: it is awake when it would have been. */
  #again(notify: NotifyNamespace, content: Content, how: Manner): void {
    const shownMs = this.#shownMs;
    // The click has closed it.
    this.#notification = null;
    this.show(notify, content, how);
    this.#shownMs = shownMs;
  }

  close(): void {
    this.#cancel();
    const notification = this.#notification;
    this.#notification = null;
    if (notification !== null) attempt(() => notification.close());
  }

  #cancel(): void {
    if (this.#later !== null) clearTimeout(this.#later);
    this.#later = null;
  }

  /** The one that is shown, with new text and without buttons; null when there is none. */
  #renewed({ summary, body, icon }: Content): Notification | null {
    const notification = this.#notification;
    if (notification === null) return null;
    notification.update(summary, body, iconOutside(icon));
    notification.clearActions();
    return notification;
  }
}

/** Leaves out the button that says the same as the one for a click on the text. */
function withoutDouble(buttons: readonly NotificationButton[]): readonly NotificationButton[] {
  const label = buttons.find(({ id }) => id === 'default')?.label;
  return buttons.filter((button) => button.id === 'default' || button.label !== label);
}

function make(notify: NotifyNamespace, { summary, body, icon }: Content): Notification {
  const notification = notify.Notification.new(summary, body, iconOutside(icon));
  notification.setCategory('network');
  notification.setHint('desktop-entry', GLib.Variant.newString(APPLICATION));
  return notification;
}

function start(): NotifyNamespace | null {
  const notify = loadNotify();
  if (notify === null) return null;
  return attempt(() => notify.init(GLib.getApplicationName() ?? 'Bastion Firewall')) ? notify : null;
}

/** libnotify knows it only inside the action's signal, and versions before 0.7.10 never. */
function tokenOf(notification: Notification): string {
  try {
    return notification.getActivationToken?.() ?? '';
  } catch {
    return '';
  }
}

function attempt(call: () => boolean): boolean {
  try {
    return call();
  } catch {
    return false;
  }
}
