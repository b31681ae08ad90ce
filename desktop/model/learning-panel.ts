/** What the panel above the suggestions says. The banner has the buttons of a trial. */
import type { HelperStatus } from '../../helper/contract/client.ts';
import type { Proposal } from '../../helper/contract/types.ts';
import { _, fill } from '../i18n.ts';
import { clockText } from './durations.ts';
import { learningProgress, progressText, progressTitle } from './suggestion.ts';

export interface LearningFacts {
  readonly open: readonly Proposal[];
  readonly all: readonly Proposal[];
  /** Keys that the person does not want. */
  readonly hidden: ReadonlySet<string>;
  /** Suggestions that are listed. */
  readonly shown: number;
  /** Rules that could be tidied up. */
  readonly findings: number;
}


export interface PanelContent {
  readonly title: string;
  readonly text: string;
  /** There is a button that asks whether to enforce. */
  readonly canEnforce: boolean;
}

export function panelContent(status: HelperStatus, facts: LearningFacts, nowMs: number): PanelContent {
  if (status.mode === 'learning') {
    const progress = learningProgress(facts.all, facts.open, facts.hidden);
    return { title: progressTitle(progress, nowMs), text: progressText(progress), canEnforce: true };
  }
  if (status.trial?.before === 'learning') {
    return {
      title: fill(_('Enforcing until {time}'), { time: clockText(status.trial.endsMs, nowMs) }),
      text: _('After that, learning goes on unless you keep enforcing. You are now asked about programs without a rule.'), canEnforce: false,
    };
  }
  return { title: _('Nothing to Learn'), text: enforcingText(facts), canEnforce: false };
}

function enforcingText({ shown, findings }: LearningFacts): string {
  const asks = _('You are asked about programs without a rule when they connect, so nothing is recorded to learn from.');
  if (shown > 0) return `${asks} ${_('The suggestions below are left from learning.')}`;
  return findings > 0 ? `${asks} ${_('These rules could be tidied up:')}` : `${asks} ${_('Your rules are in order.')}`;
}
