/** Which changes of the firewall's state are worth a notification, each once. Pure: `nowMs` is an argument. */
import { _, fill, ngettext } from '../i18n.ts';
import type { Settings } from './settings.ts';
import type { Knowledge } from './status-text.ts';
import { shieldIcon, stateWords } from './status-text.ts';

/** `critical` breaks through Do Not Disturb and stays; only the safeguard does. `low` is listed without a banner. */
export type NoticeUrgency = 'low' | 'normal' | 'critical';

export interface Notice {
  readonly title: string;
  readonly body: string;
  readonly urgency: NoticeUrgency;
  /** Name in the theme. */
  readonly icon: string;
}

/** What to do with the notification of the state. */
export type NoticeStep = { readonly do: 'show'; readonly notice: Notice } | { readonly do: 'close' };

/** A helper that is restarted or upgraded is back sooner. */
export const ABSENCE_GRACE_MS = 10_000;
/** The same trouble is not told again sooner than this after it has passed. */
const AGAIN_MS = 600_000;
/** Kinds of trouble that are remembered as told. */
const MEMORY_LIMIT = 64;

/** Names of programs in one notification. */
const NAMED_PROGRAMS = 3;

/** As the preferences want it told; null: not at all. The safeguard is told in any case, at least in the list. */
export function adaptNotice(notice: Notice, settings: Pick<Settings, 'get'>): Notice | null {
  if (notice.urgency === 'critical') return settings.get('safeguard-always-told') ? notice : { ...notice, urgency: 'normal' };
  return settings.get('notify-state') ? notice : null;
}

export class StateNotices {
  /** Trouble that was told -> when. */
  readonly #told = new Map<string, number>();
  #now: string | null = null;
  #shown = '';

  /**
   * Looks at the state anew. Null: nothing changes. The state at the start is not news, but for the safeguard; `absent`: the
   * helper has been away for the time of grace.
   */
  next(known: Knowledge, absent: boolean, nowMs: number): NoticeStep | null {
    const trouble = troubleOf(known, absent);
    if (trouble === undefined) return null;
    const first = this.#now === null;
    if (trouble === this.#now) return null;
    this.#now = trouble;
    if (trouble === '') return this.#close();
    if ((first && trouble !== 'safeguard') || this.#lately(trouble, nowMs)) return this.#close();
    this.#remember(trouble, nowMs);
    this.#shown = trouble;
    const words = stateWords(known, nowMs);
    const safeguard = trouble === 'safeguard';
    return { do: 'show', notice: { title: words.title, body: words.text, urgency: safeguard ? 'critical' : 'normal', icon: shieldIcon(words.shield) } };
  }

  #close(): NoticeStep | null {
    if (this.#shown === '') return null;
    this.#shown = '';
    return { do: 'close' };
  }

  #lately(trouble: string, nowMs: number): boolean {
    const told = this.#told.get(trouble);
    // The safeguard is told every time: it has just begun to refuse connections.
    return trouble !== 'safeguard' && told !== undefined && nowMs - told < AGAIN_MS;
  }

  #remember(trouble: string, nowMs: number): void {
    this.#told.delete(trouble);
    this.#told.set(trouble, nowMs);
    const [oldest] = this.#told.keys();
    if (this.#told.size > MEMORY_LIMIT && oldest !== undefined) this.#told.delete(oldest);
  }
}

/** What is wrong, as a key; '' when nothing is, undefined while that is not known yet. A pause is the person's own wish. */
function troubleOf({ connected, status }: Knowledge, absent: boolean): string | undefined {
  if (!connected) return absent ? 'absent' : undefined;
  if (status === null) return undefined;
  switch (status.state) {
    case 'degraded': return `degraded ${status.degradedReasons.map((reason) => reason.code).sort().join(' ')}`;
    case 'safeguard': return 'safeguard';
    case 'off': return 'off';
    default: return '';
  }
}

/** Programs whose file is not what it was: their rules wait for the person. `names` are ready to be shown, at least one. */
export function changedProgramsNotice(names: readonly string[]): Notice {
  const [first = '', ...others] = names;
  const more = names.length - NAMED_PROGRAMS;
  const listed = names.slice(0, NAMED_PROGRAMS).join(', ');
  return {
    title: others.length === 0
      ? fill(_('{program} was changed'), { program: first })
      : fill(ngettext('{number} program was changed', '{number} programs were changed', names.length), { number: String(names.length) }),
    body: [
      ...(others.length === 0 ? [] : [more > 0 ? fill(ngettext('{names} and {number} more', '{names} and {number} more', more), { names: listed, number: String(more) }) : listed]),
      _('Allow rules for it are suspended until you accept the new file under Applications.'),
    ].join('\n'),
    urgency: 'normal', icon: 'dialog-warning-symbolic',
  };
}
