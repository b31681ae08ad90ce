/**
 * One notification at a time through libnotify. It is closed with its prompt and with the application, because a server keeps
 * a critical one on the screen after its sender has gone.
 */
import { GLib, loadNotify } from '../gtk.ts';
import type { Notification, NotifyNamespace } from '../gtk.ts';
import { escapeMarkup } from '../model/plain-text.ts';
import type { Capabilities } from './server.ts';

const ICON = 'org.bastionfirewall.Desktop';

export interface NotificationButton {
  readonly id: string;
  readonly label: string;
  readonly run: () => void;
}

export class Notifier {
  readonly #notify: NotifyNamespace | null;
  readonly #capabilities: () => Capabilities;
  #shown: Notification | null = null;

  constructor(capabilities: () => Capabilities) {
    this.#capabilities = capabilities;
    this.#notify = start();
  }

  /** Can a prompt be answered in a notification? */
  get canAsk(): boolean {
    return this.#notify !== null && this.#capabilities().actions;
  }

  /** Replaces what is shown, in its place. `body` is plain text. False when the server did not take it. */
  ask(summary: string, body: string, buttons: readonly NotificationButton[]): boolean {
    if (this.#notify === null || !this.canAsk) return false;
    const notification = this.#renewed(summary, body) ?? this.#make(this.#notify, summary, body);
    this.#shown = null;
    notification.setUrgency(this.#notify.Urgency.CRITICAL);
    notification.setTimeout(this.#notify.EXPIRES_NEVER);
    for (const button of buttons) {
      notification.addAction(button.id, button.label, () => {
        // libnotify is still inside the signal: what the button does may close the notification.
        setTimeout(button.run, 0);
      });
    }
    if (!show(notification)) return false;
    this.#shown = notification;
    return true;
  }

  /** Says something that needs no answer. False when nobody can have seen it. */
  tell(summary: string, body: string): boolean {
    if (this.#notify === null || !this.#capabilities().there) return false;
    const notification = this.#make(this.#notify, summary, body);
    notification.setUrgency(this.#notify.Urgency.NORMAL);
    return show(notification);
  }

  close(): void {
    const shown = this.#shown;
    this.#shown = null;
    if (shown === null) return;
    try {
      shown.close();
    } catch {
      return;
    }
  }

  /** The one that is shown, with new text and without buttons; null when there is none. */
  #renewed(summary: string, body: string): Notification | null {
    const shown = this.#shown;
    if (shown === null) return null;
    shown.update(summary, this.#text(body), ICON);
    shown.clearActions();
    return shown;
  }

  #text(body: string): string {
    return this.#capabilities().markup ? escapeMarkup(body) : body;
  }

  #make(notify: NotifyNamespace, summary: string, body: string): Notification {
    const notification = notify.Notification.new(summary, this.#text(body), ICON);
    notification.setCategory('network');
    return notification;
  }
}

function start(): NotifyNamespace | null {
  const notify = loadNotify();
  try {
    if (notify === null) return null;
    return notify.init(GLib.getApplicationName() ?? 'Bastion Firewall') ? notify : null;
  } catch {
    return null;
  }
}

function show(notification: Notification): boolean {
  try {
    return notification.show();
  } catch {
    return false;
  }
}
