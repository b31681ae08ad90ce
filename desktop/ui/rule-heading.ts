/** A heading in the rules list: opens and closes what stands below it, and switches a group. */
import { Gtk } from '../gtk.ts';
import type { Widget } from '../gtk.ts';
import { countText } from '../model/durations.ts';
import type { Heading } from '../model/rule-list.ts';
import { loadUi } from './load-ui.ts';

export interface HeadingActions {
  setCollapsed(key: string, collapsed: boolean): void;
  setGroup(group: string, enabled: boolean): void;
}

export class RuleHeadingView {
  readonly #ui = loadUi('rule-heading');
  readonly widget: Widget = this.#ui.get('row', Gtk.Box);
  readonly #open = this.#ui.get('open', Gtk.ToggleButton);
  readonly #switch = this.#ui.get('enabled', Gtk.Switch);
  #heading: Heading | null = null;
  #filling = false;

  constructor(actions: HeadingActions) {
    this.#open.on('toggled', () => {
      if (!this.#filling && this.#heading !== null) actions.setCollapsed(this.#heading.key, !this.#open.getActive());
    });
    this.#switch.on('state-set', (state) => {
      if (!this.#filling && this.#heading !== null) actions.setGroup(this.#heading.group, state);
      return false;
    });
  }

  fill(heading: Heading, connected: boolean): void {
    this.#heading = heading;
    this.#filling = true;
    this.#ui.get('title', Gtk.Label).setLabel(heading.title);
    this.#ui.get('count', Gtk.Label).setLabel(countText(heading.count));
    this.#ui.get('arrow', Gtk.Image).setFromIconName(heading.collapsed ? 'pan-end-symbolic' : 'pan-down-symbolic');
    this.#open.setActive(!heading.collapsed);
    this.#switch.setVisible(heading.group !== '');
    this.#switch.setActive(heading.groupOn);
    this.#switch.setSensitive(connected);
    this.#filling = false;
  }
}
