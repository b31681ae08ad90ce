/** What to do where the firewall itself may not be installed: a sentence and a command for each case. */
import { Adw } from '../gtk.ts';
import type { PreferencesGroup } from '../gtk.ts';
import { installSteps } from '../model/installation.ts';
import type { Knowledge } from '../model/status-text.ts';
import { inFlatpak } from '../sandbox.ts';
import { CopyRow } from './copy-row.ts';

export class InstallSteps {
  readonly #group: PreferencesGroup;
  readonly #toast: (text: string) => void;
  readonly #sandboxed = inFlatpak();
  #made = false;

  /** `group` hides while there is nothing to say. */
  constructor(group: PreferencesGroup, toast: (text: string) => void) {
    this.#group = group;
    this.#toast = toast;
    group.setVisible(false);
  }

  update(known: Knowledge): void {
    const steps = installSteps(known, this.#sandboxed);
    this.#group.setVisible(steps.length > 0);
    if (steps.length === 0 || this.#made) return;
    this.#made = true;
    for (const { title, text, command } of steps) {
      const row = new CopyRow(this.#toast);
      row.setText(command);
      this.#group.add(new Adw.ActionRow({ title, subtitle: text, titleLines: 0, subtitleLines: 0 }));
      this.#group.add(row.widget);
    }
  }
}
