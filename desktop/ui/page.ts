/** What a page of the main window is, and what it may ask of the window. Pages are made when they are first opened. */
import type { RuleEdit, RuleInfo } from '../../helper/contract/types.ts';
import type { HelperSession } from '../client/session.ts';
import type { Widget, Window } from '../gtk.ts';
import type { Settings } from '../model/settings.ts';
import type { FindProgram } from '../model/program-name.ts';

/** The pages, in the order of the sidebar. */
export const PAGE_IDS = ['overview', 'activity', 'rules', 'applications', 'suggestions', 'network', 'inbox', 'preferences'] as const;
export type PageId = (typeof PAGE_IDS)[number];

/** A page, and what it shall show at first. A part that is left out leaves the page as the person left it. */
export interface PageTarget {
  readonly page: PageId;
  /** Applications, activity: an application's id as the helper gives it. */
  readonly application?: string;
  /** Activity: the flows to this host; rules: what is searched for. */
  readonly search?: string;
  /** Activity: a flow's id; rules: a rule's id; inbox: a nonce; network: a zone. */
  readonly item?: string;
}

export interface PageContext {
  readonly session: HelperSession;
  readonly find: FindProgram;
  /** The parent of dialogs. */
  readonly window: Window;
  /** Says something at the window's foot for a few seconds; `undo` adds a button. */
  toast(text: string, undo?: () => void): void;
  open(target: PageTarget): void;
  /** Opens the rule's editor; `null` with a draft is a new rule that is filled in. */
  editRule(rule: RuleInfo | null, draft?: RuleEdit): void;
  /** A number beside the page's name in the sidebar; 0 for none. */
  readonly setBadge: (page: PageId, count: number) => void;
  /** The person's preferences of the desktop. */
  readonly settings: Settings;
}

export interface Page {
  readonly widget: Widget;
  /** Stands at the start of the header bar while the page is shown. */
  readonly headerStart?: readonly Widget[];
  /** The same at its end. */
  readonly headerEnd?: readonly Widget[];
  /** The page is looked at from now on: subscriptions and timers begin here. Called again with another target. */
  shown(target: PageTarget): void;
  /** It is not looked at any more, or the window was closed: what costs anything ends. */
  hidden(): void;
  /** The window is narrow (one column) or not. */
  setNarrow(narrow: boolean): void;
  /** Opens or closes the page's search; absent where there is nothing to search. */
  toggleSearch?(): void;
  /** Goes one step back inside the page; false when it is at its start. The window's back button asks first here. */
  back?(): boolean;
}

export interface PageEntry {
  readonly id: PageId;
  readonly title: () => string;
  readonly icon: string;
  readonly make: (context: PageContext) => Page;
  /** Called once with the window: keeps the number beside the name of a page that may never be opened. */
  readonly watch?: (context: PageContext) => void;
}
