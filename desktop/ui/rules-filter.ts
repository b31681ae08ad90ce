/** The chips above the rules list: what is shown of it. */
import { Gtk } from '../gtk.ts';
import type { DropDown, ToggleButton, Widget } from '../gtk.ts';
import { _, fill } from '../i18n.ts';
import { TIERS } from '../../helper/contract/vocabulary.ts';
import { countText } from '../model/durations.ts';
import { visible } from '../model/plain-text.ts';
import { NO_FILTER } from '../model/rule-list.ts';
import type { RuleFilter, RuleSummary } from '../model/rule-list.ts';
import { tierText } from '../model/rule-text.ts';
import { nameDropDown } from './accessible-name.ts';
import { nameChoices } from './choice-list.ts';
import { loadUi } from './load-ui.ts';

const VERDICTS = ['allow', 'deny', 'ask'] as const;
/** A longer list is no choice; the search finds the others. */
export const PROGRAMS_LIMIT = 500;
const NAME_LENGTH = 48;

/** A drop-down whose first entry is `any`. */
class Choice {
  readonly #widget: DropDown;
  readonly #any: string;
  #values: readonly string[] = [];
  #filling = false;

  /** `title`: as in the builder file. */
  constructor(widget: DropDown, title: string, any: string, changed: () => void) {
    this.#widget = widget;
    this.#any = any;
    this.fill([], (value) => value);
    nameDropDown(widget, title);
    nameChoices(widget);
    widget.on('notify::selected', () => { if (!this.#filling) changed(); });
  }

  /** '' for any. */
  get value(): string {
    return this.#values[this.#widget.getSelected() - 1] ?? '';
  }

  /** Keeps what is chosen where it is still there. */
  fill(values: readonly string[], label: (value: string) => string): void {
    const same = values.length === this.#values.length && values.every((value, at) => value === this.#values[at]);
    if (same && values.length > 0) return;
    const before = this.value;
    this.#filling = true;
    this.#values = values;
    this.#widget.setModel(Gtk.StringList.new([this.#any, ...values.map(label)]));
    this.#widget.setSelected(values.indexOf(before) + 1);
    this.#widget.setVisible(values.length > 0);
    this.#filling = false;
  }

  reset(): void {
    this.#widget.setSelected(0);
  }
}

export class RulesFilter {
  readonly #ui = loadUi('rules-filter');
  readonly #chips = new Map(VERDICTS.map((verdict): readonly [(typeof VERDICTS)[number], ToggleButton] => [verdict, this.#ui.get(verdict, Gtk.ToggleButton)]));
  readonly #temporary = this.#ui.get('temporary', Gtk.ToggleButton);
  readonly #cleanUp = this.#ui.get('clean_up', Gtk.ToggleButton);
  readonly #tier: Choice;
  readonly #program: Choice;
  readonly #profile: Choice;
  readonly widget: Widget = this.#ui.get('bar', Gtk.ScrolledWindow);

  constructor(changed: () => void) {
    for (const chip of [...this.#chips.values(), this.#temporary, this.#cleanUp]) chip.on('toggled', changed);
    this.#tier = new Choice(this.#ui.get('tier', Gtk.DropDown), _('Whose rules'), _('Any owner'), changed);
    this.#program = new Choice(this.#ui.get('program', Gtk.DropDown), _('Rules of one program'), _('Any program'), changed);
    this.#profile = new Choice(this.#ui.get('profile', Gtk.DropDown), _('Rules of one profile'), _('Any profile'), changed);
  }

  /** What the chips say, with what is searched for. */
  filter(query: string): RuleFilter {
    return {
      query, verdicts: new Set(VERDICTS.filter((verdict) => this.#chips.get(verdict)?.getActive() === true)),
      temporary: this.#temporary.getActive(), tier: TIERS.find((tier) => tier === this.#tier.value) ?? NO_FILTER.tier,
      program: this.#program.value, profile: this.#profile.value, cleanUp: this.#cleanUp.getActive(),
    };
  }

  get cleansUp(): boolean {
    return this.#cleanUp.getActive();
  }

  /** Offers what the rules have. */
  setChoices({ tiers, programs, profiles }: RuleSummary): void {
    this.#tier.fill(tiers.length > 1 ? tiers : [], (tier) => tierText(TIERS.find((one) => one === tier) ?? 'user'));
    this.#program.fill(programs, (program) => visible(program, NAME_LENGTH));
    this.#profile.fill(profiles, (profile) => visible(profile, NAME_LENGTH));
  }

  /** How many rules do nothing; null while nobody knows. */
  setFindings(count: number | null): void {
    const label = this.#ui.get('clean_up_label', Gtk.Label);
    label.setLabel(count === null || count === 0 ? _('Clean Up') : fill(_('Clean Up: {number}'), { number: countText(count) }));
  }

  reset(): void {
    for (const chip of [...this.#chips.values(), this.#temporary, this.#cleanUp]) chip.setActive(false);
    for (const choice of [this.#tier, this.#program, this.#profile]) choice.reset();
  }
}
