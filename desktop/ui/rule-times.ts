/** The rows of the rule editor that say when a rule holds: its end, its week days, its hours. */
import { Gtk } from '../gtk.ts';
import type { ToggleButton } from '../gtk.ts';
import { _ } from '../i18n.ts';
import { localTexts } from '../model/rule-form.ts';
import type { FormLifetime, RuleForm } from '../model/rule-form.ts';
import { weekDayText } from '../model/format.ts';
import { WEEK_DAYS } from '../model/rule-schedule.ts';
import { FormChoice } from './form-choice.ts';
import { FormEntry } from './form-entry.ts';
import type { Ui } from './load-ui.ts';

const DAY_MS = 86_400_000;
type TimeForm = Pick<RuleForm, 'lifetime' | 'untilDate' | 'untilTime' | 'schedule'>;

export class RuleTimes {
  readonly entries: ReadonlyMap<'untilDate' | 'untilTime' | 'from' | 'to', FormEntry>;
  readonly #lifetime: FormChoice<FormLifetime>;
  readonly #days: readonly ToggleButton[];
  readonly #nowMs: () => number;
  #filling = false;

  constructor(ui: Ui, nowMs: () => number, changed: () => void, activated: () => void) {
    this.#nowMs = nowMs;
    const list = ui.get('time', Gtk.ListBox);
    const tell = (): void => {
      if (this.#filling) return;
      this.#showWhatFits();
      changed();
    };
    this.#lifetime = new FormChoice<FormLifetime>(list, _('How long'), lifetimes(false), tell);
    const date = new FormEntry(list, _('Until the day, like 2027-03-01'), tell, activated);
    const time = new FormEntry(list, _('Until the time, like 18:00'), tell, activated);
    date.row.addSuffix(ui.get('calendar_button', Gtk.MenuButton));
    const calendar = ui.get('calendar', Gtk.Calendar);
    calendar.on('day-selected', () => { if (!this.#filling) date.text = calendar.getDate().format('%Y-%m-%d'); });
    list.append(ui.get('days_row', Gtk.ListBoxRow));
    this.#days = WEEK_DAYS.map((_day, at) => {
      const button = ui.get(`day_${String(at)}`, Gtk.ToggleButton);
      ui.get(`day_name_${String(at)}`, Gtk.Label).setLabel(weekDayText(at, 'short'));
      button.setTooltipText(weekDayText(at, 'long'));
      button.on('toggled', tell);
      return button;
    });
    this.entries = new Map([
      ['untilDate', date], ['untilTime', time],
      ['from', new FormEntry(list, _('From, like 09:00 (empty: all day)'), tell, activated)],
      ['to', new FormEntry(list, _('To, like 17:30'), tell, activated)],
    ]);
  }

  get form(): TimeForm {
    const text = (key: 'untilDate' | 'untilTime' | 'from' | 'to'): string => (this.entries.get(key)?.text ?? '').trim();
    const days = this.#days.flatMap((button, day) => (button.getActive() ? [day] : []));
    return {
      lifetime: this.#lifetime.value ?? 'always', untilDate: text('untilDate'), untilTime: text('untilTime'),
      schedule: { days: days.length === WEEK_DAYS.length ? [] : days, from: text('from'), to: text('to') },
    };
  }

  set form({ lifetime, untilDate, untilTime, schedule }: TimeForm) {
    this.#filling = true;
    this.#lifetime.setChoices(lifetimes(lifetime === 'keep'));
    this.#lifetime.select(lifetime);
    const texts = { untilDate, untilTime, from: schedule.from, to: schedule.to };
    for (const [key, entry] of this.entries) entry.text = texts[key];
    for (const [day, button] of this.#days.entries()) button.setActive(schedule.days.includes(day));
    this.#filling = false;
    this.#showWhatFits();
  }

  #showWhatFits(): void {
    const isUntil = this.#lifetime.value === 'until';
    const [date, time] = [this.entries.get('untilDate'), this.entries.get('untilTime')];
    if (isUntil && date?.text === '' && time?.text === '') {
      // Tomorrow at this time is a beginning that is never wrong.
      const [day, clock] = localTexts(this.#nowMs() + DAY_MS);
      this.#filling = true;
      date.text = day;
      time.text = clock;
      this.#filling = false;
    }
    date?.setVisible(isUntil);
    time?.setVisible(isUntil);
  }
}

/** `keep` is offered only where the rule has a lifetime that nobody can choose. */
function lifetimes(keeps: boolean): readonly (readonly [FormLifetime, string])[] {
  return [
    ['always', _('Always')], ['boot', _('Until this computer restarts')], ['hour', _('For 1 hour')], ['until', _('Until a chosen time')],
    ...(keeps ? [['keep', _('Same as before')] as const] : []),
  ];
}
