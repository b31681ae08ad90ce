/** What the activity page is narrowed to and grouped by: the row of chips. */
import { Gtk } from '../gtk.ts';
import type { DropDown } from '../gtk.ts';
import { _ } from '../i18n.ts';
import {
  NO_FILTER, PROTOCOLS, RANGES, VERDICTS, ownRangeText, programOfKeyName, protocolLabels, rangeLabels, verdictLabels,
} from '../model/activity-filter.ts';
import type { ActivityFilter } from '../model/activity-filter.ts';
import { hostText } from '../model/flow-text.ts';
import type { FindProgram } from '../model/program-name.ts';
import { nameDropDown } from './accessible-name.ts';
import { nameChoices } from './choice-list.ts';
import type { Ui } from './load-ui.ts';
import { lockButton } from './needs-password.ts';

export const GROUPINGS = ['none', 'application', 'destination'] as const;
export type Grouping = (typeof GROUPINGS)[number];

export interface ChipActions {
  readonly find: FindProgram;
  nowMs(): number;
  /** The person chose something else. */
  changed(): void;
  /** The person wants to say a time of his own. */
  wantsOwnRange(): void;
}

export class ActivityChips {
  readonly #ui: Ui;
  readonly #actions: ChipActions;
  #filter: ActivityFilter = NO_FILTER;
  #grouping: Grouping = 'none';
  #filling = false;

  constructor(ui: Ui, actions: ChipActions) {
    this.#ui = ui;
    this.#actions = actions;
    this.#setUpChoices();
    lockButton(this.#ui.get('everybody', Gtk.ToggleButton), _('_Everybody’s'));
    this.#connect();
    this.#fill();
  }

  get filter(): ActivityFilter {
    return this.#filter;
  }

  get grouping(): Grouping {
    return this.#grouping;
  }

  /** Without telling of a change. */
  set(change: Partial<ActivityFilter>, grouping: Grouping = this.#grouping): void {
    this.#filter = { ...this.#filter, ...change };
    this.#grouping = grouping;
    this.#fill();
  }

  #drop(id: string): DropDown {
    return this.#ui.get(id, Gtk.DropDown);
  }

  #setUpChoices(): void {
    this.#filling = true;
    const models: Readonly<Record<string, readonly string[]>> = {
      range: rangeLabels(), verdict: verdictLabels(), protocol: protocolLabels(), group: [_('No groups'), _('By program'), _('By destination')],
    };
    for (const [id, labels] of Object.entries(models)) this.#drop(id).setModel(Gtk.StringList.new(labels));
    const titles = { range: _('Time'), verdict: _('What was decided'), protocol: _('Protocol'), group: _('Group by') };
    for (const [id, title] of Object.entries(titles)) {
      nameDropDown(this.#drop(id), title);
      nameChoices(this.#drop(id));
    }
    this.#filling = false;
  }

  #connect(): void {
    const choose = (id: string, take: (at: number) => void): void => {
      this.#drop(id).on('notify::selected', () => { if (!this.#filling) take(this.#drop(id).getSelected()); });
    };
    choose('range', (at) => { this.#chooseRange(RANGES[at] ?? 'today'); });
    choose('verdict', (at) => { this.#change({ verdict: VERDICTS[at] ?? 'all' }); });
    choose('protocol', (at) => { this.#change({ protocol: PROTOCOLS[at] ?? '' }); });
    choose('group', (at) => { this.#change({}, GROUPINGS[at] ?? 'none'); });
    const everybody = this.#ui.get('everybody', Gtk.ToggleButton);
    everybody.on('toggled', () => { if (!this.#filling) this.#change({ everybody: everybody.getActive() }); });
    this.#ui.get('program_chip', Gtk.Button).on('clicked', () => { this.#change({ program: '' }); });
    this.#ui.get('destination_chip', Gtk.Button).on('clicked', () => { this.#change({ destination: '' }); });
  }

  #chooseRange(range: ActivityFilter['range']): void {
    if (range === 'own') this.#actions.wantsOwnRange();
    else this.#change({ range });
  }

  #change(change: Partial<ActivityFilter>, grouping: Grouping = this.#grouping): void {
    this.set(change, grouping);
    this.#actions.changed();
  }

  #fill(): void {
    const { range, verdict, protocol, program, destination, everybody } = this.#filter;
    this.#filling = true;
    this.#drop('range').setSelected(RANGES.indexOf(range));
    this.#drop('range').setTooltipText(range === 'own' ? ownRangeText(this.#filter, this.#actions.nowMs()) : _('Time'));
    this.#drop('verdict').setSelected(VERDICTS.indexOf(verdict));
    this.#drop('protocol').setSelected(PROTOCOLS.indexOf(protocol));
    this.#drop('group').setSelected(GROUPINGS.indexOf(this.#grouping));
    this.#ui.get('everybody', Gtk.ToggleButton).setActive(everybody);
    this.#ui.get('program_chip', Gtk.Button).setVisible(program !== '');
    this.#ui.get('program_name', Gtk.Label).setLabel(program === '' ? '' : programOfKeyName(program, this.#actions.find));
    this.#ui.get('destination_chip', Gtk.Button).setVisible(destination !== '');
    this.#ui.get('destination_name', Gtk.Label).setLabel(destination === '' ? '' : hostText(destination));
    this.#filling = false;
  }
}
