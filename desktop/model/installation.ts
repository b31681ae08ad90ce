/** How to get the firewall itself, for a front end that came without it. Pure. */
import { _ } from '../i18n.ts';
import type { Knowledge } from './status-text.ts';

export interface InstallStep {
  readonly title: string;
  readonly text: string;
  /** For a terminal. */
  readonly command: string;
}

/** Nothing while the helper is there or was there, and nothing where one package brings both. */
export function installSteps({ connected, status }: Knowledge, sandboxed: boolean): readonly InstallStep[] {
  if (!sandboxed || connected || status !== null) return [];
  return [
    {
      title: _('If the firewall is not installed'),
      text: _('A Flatpak can hold only its windows. Get the package bastion-firewall of this version, and run this in a terminal, in the folder where the file lies:'),
      command: 'sudo apt install ./bastion-firewall_*.deb',
    },
    { title: _('If it is installed'), text: _('This says in a terminal why it does not answer:'), command: 'systemctl status bastion-firewall' },
  ];
}
