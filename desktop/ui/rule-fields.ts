/** The rows of the rule editor: what they show is a RuleForm, and what is typed into them another one. */
import { RULE_ACTIONS } from '../../helper/contract/vocabulary.ts';
import { Gtk } from '../gtk.ts';
import type { Switch, Widget } from '../gtk.ts';
import { _ } from '../i18n.ts';
import type { FormErrors, FormField } from '../model/rule-check.ts';
import { emptyForm, PLACE_KEYS, PROGRAM_KEYS, SUBJECT_KEYS } from '../model/rule-form.ts';
import type { PlaceKey, ProgramKey, RuleForm, SubjectKey } from '../model/rule-form.ts';
import type { ProgramChoice } from '../model/program-choices.ts';
import { actionName } from '../model/rule-text.ts';
import { FormChoice } from './form-choice.ts';
import { FormEntry } from './form-entry.ts';
import type { Ui } from './load-ui.ts';
import type { OfferChoice } from './offer.ts';
import { RuleTimes } from './rule-times.ts';

/** What there is that a rule could name; read each time that a list opens. */
export interface FieldSources {
  readonly groups: () => readonly OfferChoice[];
  readonly zones: () => readonly OfferChoice[];
  readonly interfaces: () => readonly OfferChoice[];
  readonly users: () => readonly OfferChoice[];
  readonly profiles: () => readonly OfferChoice[];
}

export interface FieldEvents {
  changed(): void;
  /** Enter in a field. */
  activated(): void;
  pick(): void;
}

type ProgramKind = ProgramKey | 'any';
type SubjectKind = SubjectKey | 'any';
type PlaceKind = PlaceKey | 'any';
const PROTOCOLS = ['tcp', 'udp', 'tcp,udp', 'icmp', ''] as const;
type Protocol = (typeof PROTOCOLS)[number] | 'other';

function programTitle(key: SubjectKey): string {
  const titles: Readonly<Record<SubjectKey, string>> = {
    path: _('Program, by its full path'), package: _('Name of the package'), flatpak: _('Id of the Flatpak'), snap: _('Name of the snap'),
    appimage: _('AppImage, by its full path'), script: _('Script, by its full path'), sha256: _('SHA-256 of the file'),
    container: _('Name of the container, or the beginning of several like web-*'),
  };
  return titles[key];
}

function programKindName(key: SubjectKey): string {
  const names: Readonly<Record<SubjectKey, string>> = {
    path: _('A program file'), package: _('A package'), flatpak: _('A Flatpak'), snap: _('A snap'), appimage: _('An AppImage'),
    script: _('A script'), sha256: _('A file with this checksum'), container: _('A container'),
  };
  return names[key];
}

/** By what the rule names its program first; the others stand below. The order is that of its sentence. */
function mainKey(form: RuleForm): SubjectKind {
  const order = ['container', 'script', 'appimage', 'flatpak', 'snap', 'path', 'package', 'sha256'] as const;
  return order.find((key) => form[key] !== '') ?? 'any';
}

export class RuleFields {
  readonly #events: FieldEvents;
  readonly #action: FormChoice<RuleForm['action']>;
  readonly #programKind: FormChoice<SubjectKind>;
  readonly #program: FormEntry;
  readonly #exact: ReadonlyMap<SubjectKey, FormEntry>;
  readonly #placeKind: FormChoice<PlaceKind>;
  readonly #places: ReadonlyMap<'address' | 'domain', FormEntry>;
  readonly #list: FormChoice<string>;
  readonly #entries: ReadonlyMap<'port' | 'protocol' | 'user' | 'profile' | 'zone' | 'interface' | 'name' | 'group' | 'priority' | 'ancestor', FormEntry>;
  readonly #protocol: FormChoice<Protocol>;
  readonly #ancestorKind: FormChoice<ProgramKind>;
  readonly #times: RuleTimes;
  readonly #flags: Readonly<Record<'pin' | 'includeChildren' | 'allScripts', Switch>>;
  #kind: SubjectKind = 'path';
  #listId = '';
  #filling = false;

  constructor(ui: Ui, sources: FieldSources, events: FieldEvents, nowMs: () => number) {
    this.#events = events;
    const changed = (): void => { this.#onChanged(); };
    const entry = (list: string, title: string): FormEntry => new FormEntry(ui.get(list, Gtk.ListBox), title, changed, () => { events.activated(); });
    const main = ui.get('main', Gtk.ListBox);
    this.#action = new FormChoice(main, _('What happens'), RULE_ACTIONS.map((action) => [action, actionName(action)] as const), changed);
    const kinds = PROGRAM_KEYS.map((key) => [key, programKindName(key)] as const);
    this.#programKind = new FormChoice<SubjectKind>(main, _('Who'), [
      ...kinds, ['container', programKindName('container')], ['any', _('Any program')],
    ], changed);
    this.#program = entry('main', programTitle('path'));
    this.#placeKind = new FormChoice<PlaceKind>(main, _('Where to'), [
      ['any', _('Any host')], ['domain', _('A name')], ['address', _('An address or network')], ['list', _('A list')],
    ], changed);
    this.#places = new Map([
      ['domain', entry('main', _('Name, like example.org or *.example.org'))],
      ['address', entry('main', _('Address or network'))],
    ]);
    this.#list = new FormChoice<string>(main, _('List'), [], changed);
    const port = entry('main', _('Ports (empty: any port)'));
    this.#times = new RuleTimes(ui, nowMs, changed, () => { events.activated(); });
    this.#exact = new Map(PROGRAM_KEYS.map((key) => [key, entry('exact', programTitle(key))]));
    this.#flags = this.#makeFlags(ui, changed);
    this.#ancestorKind = new FormChoice<ProgramKind>(ui.get('exact', Gtk.ListBox), _('Started by'), [['any', _('Any program')], ...kinds], changed);
    const ancestor = entry('exact', programTitle('path'));
    const way = ui.get('way', Gtk.ListBox);
    const user = entry('way', _('User (empty: everybody)'));
    const profile = entry('way', _('Only in the profile'));
    this.#protocol = new FormChoice<Protocol>(way, _('Protocol'), [
      ['tcp', 'TCP'], ['udp', 'UDP'], ['tcp,udp', _('TCP and UDP')], ['icmp', _('ICMP (ping)')], ['', _('Any')], ['other', _('Other…')],
    ], changed);
    const protocol = entry('way', _('Protocols, separated by commas'));
    this.#entries = new Map([
      ['port', port], ['ancestor', ancestor], ['user', user], ['profile', profile], ['protocol', protocol],
      ['zone', entry('way', _('Only in the zone'))], ['interface', entry('way', _('Only through the interface'))],
      ['name', entry('labels', _('Name'))], ['group', entry('labels', _('Group'))],
      ['priority', entry('labels', _('Priority, from -1000 to 1000; the higher goes first'))],
    ]);
    const pick = ui.get('pick', Gtk.Button);
    pick.on('clicked', () => { events.pick(); });
    this.#program.row.addSuffix(pick);
    this.#offer(sources);
  }

  get form(): RuleForm {
    const text = (key: Parameters<RuleFields['setError']>[0]): string => this.#entryOf(key)?.text ?? '';
    const programs = Object.fromEntries(SUBJECT_KEYS.map((key) => [key, this.#programText(key)])) as Record<SubjectKey, string>;
    const place = this.#placeKind.value ?? 'any';
    const ancestorKind = this.#ancestorKind.value ?? 'any';
    const protocol = this.#protocol.value ?? 'tcp';
    return {
      ...emptyForm(), ...programs, ...this.#times.form, action: this.#action.value ?? 'deny',
      address: place === 'address' ? text('address') : '', domain: place === 'domain' ? text('domain') : '', list: place === 'list' ? this.#listId : '',
      pin: this.#flags.pin.getActive(), includeChildren: this.#flags.includeChildren.getActive(), allScripts: this.#flags.allScripts.getActive(),
      ancestorKey: ancestorKind === 'any' ? 'path' : ancestorKind, ancestor: ancestorKind === 'any' ? '' : text('ancestor'),
      zone: text('zone'), interface: text('interface'), port: text('port'), protocol: protocol === 'other' ? text('protocol') : protocol,
      user: text('user'), profile: text('profile'), priority: text('priority') || '0', group: text('group'), name: text('name'),
    };
  }

  /** Shows a form; tells nobody. */
  set form(form: RuleForm) {
    this.#filling = true;
    this.#action.select(form.action);
    this.#kind = mainKey(form);
    this.#programKind.select(this.#kind);
    this.#program.text = this.#kind === 'any' ? '' : form[this.#kind];
    for (const [key, entry] of this.#exact) entry.text = key === this.#kind ? '' : form[key];
    this.#placeKind.select(PLACE_KEYS.find((key) => form[key] !== '') ?? 'any');
    for (const [key, entry] of this.#places) entry.text = form[key];
    this.#listId = form.list;
    this.setLists([]);
    for (const [key, entry] of this.#entries) entry.text = form[key];
    this.#ancestorKind.select(form.ancestor === '' ? 'any' : form.ancestorKey);
    const protocol = PROTOCOLS.find((one) => one === form.protocol);
    this.#protocol.select(protocol ?? 'other');
    this.#flags.pin.setActive(form.pin);
    this.#flags.includeChildren.setActive(form.includeChildren);
    this.#flags.allScripts.setActive(form.allScripts);
    this.#times.form = form;
    this.#filling = false;
    this.#showWhatFits();
  }

  /** A new rule begins with the program's file. */
  chooseProgramFile(): void {
    this.#programKind.select('path');
    this.#kind = 'path';
    this.#showWhatFits();
  }

  /** What the picker found replaces what named the program until now. */
  take({ parts }: ProgramChoice): void {
    const empty = Object.fromEntries(SUBJECT_KEYS.map((key) => [key, ''])) as Record<SubjectKey, string>;
    this.form = { ...this.form, ...empty, ...parts };
    this.#events.changed();
  }

  /** Lists that there are: ids with their names. */
  setLists(lists: readonly (readonly [string, string])[]): void {
    const known = lists.some(([id]) => id === this.#listId) || this.#listId === '' ? lists : [[this.#listId, this.#listId] as const, ...lists];
    this.#list.setChoices(known);
    if (this.#listId !== '') this.#list.select(this.#listId);
  }

  /** Where the keyboard begins. */
  get first(): Widget {
    return this.#program.isVisible ? this.#program.row : this.#programKind.row;
  }

  /** A mistake of a field that is not shown is no use: `form` shows it then. Returns whether the field has its place. */
  setError(field: FormField, message: string): boolean {
    const entry = this.#entryOf(field);
    entry?.setError(message);
    return entry?.isVisible === true;
  }

  showErrors(errors: FormErrors): void {
    for (const entry of this.#all()) entry.setError('');
    for (const [field, message] of errors) this.setError(field, message);
  }

  /** Is the field above "More"? Of programs that depends on what the rule names first. */
  isMain(field: FormField): boolean {
    return field === this.#kind;
  }

  focus(field: FormField): void {
    this.#entryOf(field)?.row.grabFocus();
  }

  #all(): readonly FormEntry[] {
    return [this.#program, ...this.#exact.values(), ...this.#places.values(), ...this.#entries.values(), ...this.#times.entries.values()];
  }

  #entryOf(field: FormField): FormEntry | undefined {
    const program = SUBJECT_KEYS.find((key) => key === field);
    if (program !== undefined) return program === this.#kind ? this.#program : this.#exact.get(program);
    const lookup = new Map<string, FormEntry>([...this.#places, ...this.#entries, ...this.#times.entries]);
    return lookup.get(field);
  }

  #programText(key: SubjectKey): string {
    return (key === this.#kind ? this.#program.text : (this.#exact.get(key)?.text ?? '')).trim();
  }

  #makeFlags(ui: Ui, changed: () => void): Readonly<Record<'pin' | 'includeChildren' | 'allScripts', Switch>> {
    const exact = ui.get('exact', Gtk.ListBox);
    const flag = (row: string, id: string): Switch => {
      const widget = ui.get(id, Gtk.Switch);
      exact.append(ui.get(row, Gtk.ListBoxRow));
      widget.on('notify::active', changed);
      return widget;
    };
    return { pin: flag('pin_row', 'pin'), includeChildren: flag('children_row', 'children'), allScripts: flag('scripts_row', 'scripts') };
  }

  #offer(sources: FieldSources): void {
    this.#entries.get('group')?.setOffer(sources.groups);
    this.#entries.get('zone')?.setOffer(sources.zones);
    this.#entries.get('interface')?.setOffer(sources.interfaces);
    this.#entries.get('user')?.setOffer(sources.users);
    this.#entries.get('profile')?.setOffer(sources.profiles);
  }

  #onChanged(): void {
    if (this.#filling) return;
    const kind = this.#programKind.value ?? 'any';
    if (kind !== this.#kind) this.#changeKind(kind);
    this.#listId = this.#list.value ?? this.#listId;
    this.#showWhatFits();
    this.#events.changed();
  }

  /** What was typed for the other kind would be wrong for this one; what stands below for it moves up. */
  #changeKind(kind: SubjectKind): void {
    this.#filling = true;
    const below = kind === 'any' ? undefined : this.#exact.get(kind);
    this.#kind = kind;
    this.#program.text = below?.text ?? '';
    if (below !== undefined) below.text = '';
    this.#filling = false;
  }

  #showWhatFits(): void {
    this.#program.setVisible(this.#kind !== 'any');
    if (this.#kind !== 'any') this.#program.setTitle(programTitle(this.#kind));
    for (const [key, entry] of this.#exact) entry.setVisible(key !== this.#kind);
    const place = this.#placeKind.value ?? 'any';
    for (const [key, entry] of this.#places) entry.setVisible(key === place);
    this.#list.setVisible(place === 'list');
    this.#list.row.setSubtitle(this.#list.value === undefined ? _('No list is set up in bastion.toml.') : '');
    this.#entries.get('protocol')?.setVisible(this.#protocol.value === 'other');
    const ancestor = this.#ancestorKind.value ?? 'any';
    this.#entries.get('ancestor')?.setVisible(ancestor !== 'any');
    if (ancestor !== 'any') this.#entries.get('ancestor')?.setTitle(programTitle(ancestor));
  }
}
