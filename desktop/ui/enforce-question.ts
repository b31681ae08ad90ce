/** The question that comes before enforcing, wherever it is begun from. */
import { _ } from '../i18n.ts';
import { ConfirmDialog } from './confirm-dialog.ts';
import type { PageContext } from './page.ts';

const TRIAL_S = 600;

/** Says in three lines what will happen, and offers to try it first. */
export function askToEnforce(context: PageContext): void {
  const { client } = context.session;
  new ConfirmDialog(_('Start Enforcing?'), [
    { icon: 'object-select-symbolic', text: _('What your rules allow goes on as before.') },
    { icon: 'bastion-firewall-ask-symbolic', text: _('Everything else is held until you allow or deny it, and refused if nobody answers.') },
    { icon: 'edit-undo-symbolic', text: _('You can go back to learning at any time. A trial goes back by itself.') },
  ], [
    { label: _('_Try for 10 Minutes First'), style: 'plain', run: () => client.setMode('enforcing', { confirmSeconds: TRIAL_S }) },
    { label: _('_Start Enforcing'), style: 'plain', run: () => client.setMode('enforcing') },
  ]).present(context.window);
}
