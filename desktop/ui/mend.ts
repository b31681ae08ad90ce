/** The buttons that mend a state. */
import { assertNever } from '../../helper/contract/errors.ts';
import type { HelperSession } from '../client/session.ts';
import type { Button } from '../gtk.ts';
import { _ } from '../i18n.ts';
import { errorText } from '../model/error-text.ts';
import type { Remedy } from '../model/status-text.ts';
import { lockButton } from './needs-password.ts';

/** The words of the button; '' for none. */
function remedyLabel(remedy: Remedy): string {
  const labels: Record<Remedy, string> = {
    none: '', resume: _('Resume'), enforce: _('Start Enforcing…'), 'end-safeguard': _('End Safeguard Mode'), 'keep-trial': _('Keep'),
    'end-trial': _('Go Back'),
  };
  return labels[remedy];
}

/** Resume is the one that whoever sits at the computer may do. */
function needsPassword(remedy: Remedy): boolean {
  return remedy !== 'resume';
}

/** Ends the trial by setting what would come back by itself. */
function endTrial({ client, knowledge }: HelperSession): Promise<void> {
  const before = knowledge.status?.trial?.before;
  if (before === 'off') return client.off();
  return before === 'enforcing' || before === 'learning' ? client.setMode(before) : Promise.resolve();
}

function callOf(session: HelperSession, remedy: Exclude<Remedy, 'enforce'>): Promise<void> {
  const { client, knowledge } = session;
  switch (remedy) {
    case 'none': return Promise.resolve();
    case 'resume': return client.resume();
    case 'end-safeguard': return client.endSafeguard();
    case 'keep-trial': return knowledge.status?.trial === undefined ? Promise.resolve() : client.setMode(knowledge.status.mode);
    case 'end-trial': return endTrial(session);
    default: return assertNever(remedy);
  }
}

/** A button that is hidden while there is nothing to mend. */
export class RemedyButton {
  readonly #button: Button;
  #remedy: Remedy = 'none';

  /** `failed` is told why it could not be done. `enforce` leads to the question that comes before enforcing. */
  constructor(button: Button, session: HelperSession, failed: (message: string) => void, enforce: () => void) {
    this.#button = button;
    button.setVisible(false);
    button.on('clicked', () => {
      if (this.#remedy === 'enforce') enforce();
      else callOf(session, this.#remedy).catch((error: unknown) => { failed(errorText(error)); });
    });
  }

  set(remedy: Remedy): void {
    if (remedy === this.#remedy) return;
    this.#remedy = remedy;
    this.#button.setVisible(remedy !== 'none');
    if (remedy === 'none') return;
    if (needsPassword(remedy)) {
      lockButton(this.#button, remedyLabel(remedy));
    } else {
      this.#button.setLabel(remedyLabel(remedy));
      this.#button.setTooltipText(null);
    }
  }
}
