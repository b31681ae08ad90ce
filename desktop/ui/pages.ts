/** Every page of the main window. */
import { _ } from '../i18n.ts';
import { shieldIcon } from '../model/status-text.ts';
import { ActivityPage } from './activity-page.ts';
import { ApplicationsPage } from './applications-page.ts';
import { watchInbox } from './inbox-badge.ts';
import { InboxPage } from './inbox-page.ts';
import { NetworkPage } from './network-page.ts';
import { OverviewPage } from './overview-page.ts';
import type { PageEntry } from './page.ts';
import { PreferencesPage } from './preferences-page.ts';
import { RulesPage } from './rules-page.ts';
import { watchSuggestions } from './suggestions-badge.ts';
import { SuggestionsPage } from './suggestions-page.ts';

export const PAGES: readonly PageEntry[] = [
  { id: 'overview', title: () => _('Overview'), icon: shieldIcon('protecting'), make: (context) => new OverviewPage(context) },
  { id: 'activity', title: () => _('Activity'), icon: 'network-transmit-receive-symbolic', make: (context) => new ActivityPage(context) },
  { id: 'rules', title: () => _('Rules'), icon: 'view-list-symbolic', make: (context) => new RulesPage(context) },
  { id: 'applications', title: () => _('Applications'), icon: 'view-app-grid-symbolic', make: (context) => new ApplicationsPage(context) },
  { id: 'suggestions', title: () => _('Suggestions'), icon: 'starred-symbolic', make: (context) => new SuggestionsPage(context), watch: watchSuggestions },
  { id: 'network', title: () => _('Network'), icon: 'network-wired-symbolic', make: (context) => new NetworkPage(context) },
  { id: 'inbox', title: () => _('Inbox'), icon: 'mail-unread-symbolic', make: (context) => new InboxPage(context), watch: watchInbox },
  { id: 'preferences', title: () => _('Preferences'), icon: 'emblem-system-symbolic', make: (context) => new PreferencesPage(context) },
];
