/** The panel above the suggestions: how far learning is, and the step to enforcing. */
import { Gtk } from '../gtk.ts';
import type { Widget } from '../gtk.ts';
import { _ } from '../i18n.ts';
import { panelContent } from '../model/learning-panel.ts';
import type { LearningFacts } from '../model/learning-panel.ts';
import { askToEnforce } from './enforce-question.ts';
import type { Ui } from './load-ui.ts';
import { lockButton } from './needs-password.ts';
import type { PageContext } from './page.ts';

export class LearningPanel {
  readonly #context: PageContext;
  readonly #ui: Ui;
  #facts: LearningFacts | null = null;
  #said = '';

  /** `ui`: the builder file that holds the panel. */
  constructor(context: PageContext, ui: Ui) {
    this.#context = context;
    this.#ui = ui;
    const button = ui.get('enforce', Gtk.Button);
    lockButton(button, _('_Start Enforcing…'));
    button.on('clicked', () => { askToEnforce(context); });
  }

  get widget(): Widget {
    return this.#ui.get('panel', Gtk.Box);
  }

  /** What a screen reader says of the panel. */
  get spoken(): string {
    return [this.#ui.get('panel_title', Gtk.Label), this.#ui.get('panel_text', Gtk.Label)].map((label) => label.getLabel()).join(' ');
  }

  set(facts: LearningFacts): void {
    this.#facts = facts;
    this.update();
  }

  /** The status changes every second; what is said seldom does. */
  update(): void {
    const { status } = this.#context.session.knowledge;
    if (status === null || this.#facts === null) return;
    const content = panelContent(status, this.#facts, this.#context.session.clocks.wallMs());
    const said = JSON.stringify(content);
    if (said === this.#said) return;
    this.#said = said;
    this.#ui.get('panel_title', Gtk.Label).setLabel(content.title);
    this.#ui.get('panel_text', Gtk.Label).setLabel(content.text);
    this.#ui.get('enforce', Gtk.Button).setVisible(content.canEnforce);
  }
}
