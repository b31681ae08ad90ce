/** What the rules page says instead of a list. */
import { assertNever } from '../../helper/contract/errors.ts';
import type { RulesState } from '../client/session.ts';
import { _ } from '../i18n.ts';
import type { PageContext } from './page.ts';
import type { PageStates } from './page-states.ts';
import type { RulesReview } from './rules-review.ts';

export interface NoRows {
  /** There are no rules at all. */
  readonly isEmpty: boolean;
  readonly cleansUp: boolean;
  readonly isFilter: boolean;
  readonly review: RulesReview;
}

export class RulesMessages {
  readonly #states: PageStates;
  readonly #context: PageContext;
  readonly #actions: { readonly retry: () => void; readonly showAll: () => void };

  constructor(states: PageStates, context: PageContext, actions: { readonly retry: () => void; readonly showAll: () => void }) {
    this.#states = states;
    this.#context = context;
    this.#actions = actions;
  }

  /** The rules are not there. */
  showNoRules(rules: Exclude<RulesState, { readonly kind: 'ready' }>): void {
    const { connected } = this.#context.session.knowledge;
    switch (rules.kind) {
      case 'loading':
        if (connected) this.#states.showLoading(_('Reading the rules…'));
        else this.#problem('bastion-firewall-off-symbolic', _('Not connected'), _('The rules appear when the firewall service is back.'));
        return;
      case 'not-allowed':
        this.#problem('changes-prevent-symbolic', _('Not Allowed'), _('Only people who may see the firewall’s rules can open this page.'), _('_Unlock…'));
        return;
      case 'failed':
        this.#problem('dialog-warning-symbolic', _('The rules could not be read'), rules.message, connected ? _('_Try Again') : '');
        return;
      default:
        assertNever(rules);
    }
  }

  /** The rules are there, and none is to be shown. */
  showNoRows({ isEmpty, cleansUp, isFilter, review }: NoRows): void {
    if (isEmpty) {
      this.#states.showMessage({
        icon: 'bastion-firewall-protecting-symbolic', title: _('No Rules Yet'),
        text: _('Programs will ask when they first connect. What you decide to keep appears here.'),
        button: { label: _('_Add Rule…'), run: () => { this.#context.editRule(null); } },
      });
    } else if (cleansUp && review.error !== null) {
      this.#states.showError(review.error, this.#actions.retry);
    } else if (cleansUp && !review.isDone) {
      this.#states.showLoading(_('Looking for rules that do nothing…'));
    } else if (isFilter) {
      this.#showNothingFound(cleansUp && review.reviewed.findings.size === 0, review.reviewed.note);
    }
  }

  #showNothingFound(isTidy: boolean, note: string): void {
    this.#states.showMessage({
      icon: isTidy ? 'emblem-ok-symbolic' : 'system-search-symbolic',
      title: isTidy ? _('Nothing to Clean Up') : _('Nothing Found'),
      text: isTidy ? [_('Every rule is useful.'), note].filter((part) => part !== '').join(' ') : _('No rule matches.'),
      button: { label: _('_Show All Rules'), run: this.#actions.showAll },
    });
  }

  #problem(icon: string, title: string, text: string, button = ''): void {
    const retry = button === '' ? {} : { button: { label: button, run: () => { this.#context.session.loadRules(); } } };
    this.#states.showMessage({ icon, title, text, ...retry });
  }
}
