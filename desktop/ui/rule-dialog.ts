/** The rule editor. Mistakes are shown next to the fields; the sentence below says what the rule will do, a row what it would have done. */
import { BastionError } from '../../helper/contract/errors.ts';
import type { RuleEdit, RuleInfo } from '../../helper/contract/types.ts';
import { saveRule } from '../client/save-rule.ts';
import type { HelperSession } from '../client/session.ts';
import { Adw, Gtk } from '../gtk.ts';
import type { Window } from '../gtk.ts';
import { _ } from '../i18n.ts';
import { errorText, isNotAuthorized } from '../model/error-text.ts';
import type { FindProgram } from '../model/program-name.ts';
import { checkForm, fieldOfMessage, FORM_FIELDS } from '../model/rule-check.ts';
import type { FormErrors, FormField } from '../model/rule-check.ts';
import { effectChange } from '../model/rule-effect.ts';
import { changedPart, draftForm, editOf, formOf, sameContent } from '../model/rule-form.ts';
import type { RuleForm } from '../model/rule-form.ts';
import { ruleText } from '../model/rule-text.ts';
import { askToDiscard } from './ask-to-discard.ts';
import { loadUi } from './load-ui.ts';
import { ModalDialog } from './modal-dialog.ts';
import { lockButton } from './needs-password.ts';
import { ProgramPicker } from './program-picker.ts';
import { RuleEffect } from './rule-effect.ts';
import { RuleFields } from './rule-fields.ts';
import { RuleSources } from './rule-sources.ts';

/** Fields that are seen without opening "More". */
const ALWAYS_SEEN: ReadonlySet<FormField> = new Set(['address', 'domain', 'list', 'port', 'form']);

/** Says shortly what was done, and how it is taken back. */
export type Done = (message: string, undo?: () => void) => void;

/** Edits `rule`, or makes a new one where it is null. `done` is told when the helper has taken it. */
export class RuleDialog {
  readonly #session: HelperSession;
  readonly #find: FindProgram;
  readonly #done: Done;
  readonly #ui = loadUi('rule-dialog');
  readonly #window = this.#ui.get('window', Adw.Window);
  readonly #save = this.#ui.get('save', Gtk.Button);
  readonly #fields: RuleFields;
  readonly #effect: RuleEffect;
  readonly #sources: RuleSources;
  readonly #dialog: ModalDialog;
  readonly #stopListening: () => void;
  /** As the helper had it when it was last looked at; null for a new one. */
  #rule: RuleInfo | null;
  /** Asked for when the rule that was edited is gone and shall be there again. */
  #newId = '';
  #before = '';
  /** Messages wait until the person has tried to save once. */
  #tried = false;
  #isSaving = false;
  #mayClose = false;

  /** `draft` fills in a new rule. */
  constructor(session: HelperSession, find: FindProgram, rule: RuleInfo | null, done: Done, draft: RuleEdit = {}) {
    this.#session = session;
    this.#find = find;
    this.#rule = rule;
    this.#done = done;
    this.#effect = new RuleEffect(session, find, this.#ui.get('effect_place', Gtk.ListBox));
    this.#sources = new RuleSources(session, (lists) => { this.#fields.setLists(lists); });
    this.#fields = new RuleFields(this.#ui, this.#sources, {
      changed: () => { this.#onChanged(); }, activated: () => { this.#onSave(); }, pick: () => { this.#pick(); },
    }, () => session.clocks.wallMs());
    lockButton(this.#save, _('_Save'));
    this.#fill(rule === null ? draftForm(draft) : formOf(rule));
    this.#connect();
    this.#dialog = new ModalDialog(this.#window, {
      cancel: this.#ui.get('cancel', Gtk.Button), focus: this.#fields.first, closing: () => this.#onClose(),
    });
    this.#stopListening = session.rulesChanged.on(() => { this.#onRulesChanged(); });
    this.#sources.read();
    this.#onChanged();
  }

  present(parent: Window): void {
    this.#dialog.present(parent);
  }

  #fill(form: RuleForm): void {
    const title = this.#rule === null ? _('New Rule') : _('Edit Rule');
    this.#window.setTitle(title);
    this.#ui.get('title', Adw.WindowTitle).setTitle(title);
    this.#fields.form = form;
    if (this.#rule === null && !isNamed(form)) this.#fields.chooseProgramFile();
    this.#before = JSON.stringify(this.#fields.form);
    this.#ui.get('more', Gtk.Expander).setExpanded(hasMore(form));
  }

  #connect(): void {
    this.#save.on('clicked', () => { this.#onSave(); });
    this.#ui.get('take_over', Gtk.Button).on('clicked', () => { this.#takeOver(); });
  }

  #pick(): void {
    new ProgramPicker(this.#session, this.#find, (choice) => { this.#fields.take(choice); }).present(this.#window);
  }

  #edit(): RuleEdit {
    const edit = editOf(this.#fields.form, this.#rule, this.#session.clocks.wallMs());
    if (this.#rule !== null) return changedPart(edit, this.#rule);
    return this.#newId === '' ? edit : { ...edit, id: this.#newId };
  }

  #onChanged(): void {
    const nowMs = this.#session.clocks.wallMs();
    const { form } = this.#fields;
    const errors = checkForm(form, nowMs);
    if (this.#tried) this.#showErrors(errors);
    this.#ui.get('preview', Gtk.Label).setLabel(errors.size > 0 && this.#tried ? '' : this.#previewText(form, nowMs));
    if (errors.size > 0) {
      this.#effect.update('mistakes');
      return;
    }
    const edit = this.#edit();
    // An hour from now is another time with each key, and the effect on the past is the same.
    const lasting = Object.fromEntries(Object.entries(edit).filter(([key]) => key !== 'until_ms' && key !== 'lifetime')) as RuleEdit;
    this.#effect.update(Object.keys(lasting).length === 0 ? 'unchanged' : effectChange(lasting, this.#rule));
  }

  #previewText(form: RuleForm, nowMs: number): string {
    const edit = editOf(form, null, nowMs);
    const { action = form.action, path = '', address = '', port = '', protocol = '', user = '', schedule = '' } = edit;
    const lifetime = edit.lifetime ?? this.#rule?.lifetime ?? 'always';
    return ruleText({ ...edit, action, path, address, port, protocol, user, schedule, lifetime }, this.#find, nowMs);
  }

  #showErrors(errors: FormErrors): void {
    this.#fields.showErrors(errors);
    const unplaced = [...errors].filter(([field, message]) => field === 'form' || !this.#fields.setError(field, message));
    const label = this.#ui.get('form_error', Gtk.Label);
    label.setLabel(unplaced.map(([, message]) => message).join(' '));
    label.setVisible(unplaced.length > 0);
    if ([...errors.keys()].some((field) => !ALWAYS_SEEN.has(field) && !this.#fields.isMain(field))) this.#ui.get('more', Gtk.Expander).setExpanded(true);
  }

  #focusFirst(errors: FormErrors): void {
    const first = FORM_FIELDS.find((field) => errors.has(field));
    if (first !== undefined) this.#fields.focus(first);
  }

  #onSave(): void {
    if (this.#isSaving) return;
    this.#tried = true;
    const errors = checkForm(this.#fields.form, this.#session.clocks.wallMs());
    this.#showErrors(errors);
    this.#focusFirst(errors);
    if (errors.size > 0) {
      this.#ui.get('preview', Gtk.Label).setLabel('');
      return;
    }
    const edit = this.#edit();
    if (Object.keys(edit).length === 0) {
      this.#close();
      return;
    }
    this.#setSaving(true);
    saveRule(this.#session, this.#rule, edit).then(
      (result) => {
        if (result.kind === 'saved') this.#saved(result.message, result.undo);
        else this.#onOther(result.now);
      },
      (error: unknown) => { this.#onFailure(error); },
    );
  }

  #setSaving(saving: boolean): void {
    this.#isSaving = saving;
    this.#save.setSensitive(!saving);
  }

  #saved(message: string, back: (() => Promise<void>) | null): void {
    this.#session.loadRules();
    this.#close();
    if (back === null) {
      this.#done(message);
      return;
    }
    this.#done(message, () => {
      back().then(() => { this.#session.loadRules(); }, (error: unknown) => { this.#done(errorText(error)); });
    });
  }

  #onFailure(error: unknown): void {
    this.#setSaving(false);
    if (error instanceof BastionError && error.code === 'NotFound' && this.#rule !== null) {
      this.#onGone(this.#rule);
      return;
    }
    const text = isNotAuthorized(error) ? _('The password was not given. Your changes are still here.') : errorText(error);
    const { field, text: message } = fieldOfMessage(text);
    const found = new Map([[field, message]]);
    this.#showErrors(found);
    this.#focusFirst(found);
  }

  #onRulesChanged(): void {
    const { rules } = this.#session;
    const rule = this.#rule;
    if (rules.kind !== 'ready' || rule === null || this.#isSaving) return;
    const now = rules.rules.find(({ id }) => id === rule.id);
    if (now === undefined) {
      if (!rules.cut) this.#onGone(rule);
    } else if (!sameContent(now, rule)) {
      this.#onOther(now);
    }
  }

  /** Saving goes on from what the rule is now; what the person changed stays in the fields. */
  #onOther(now: RuleInfo): void {
    this.#setSaving(false);
    this.#rule = now;
    this.#sayConflict(_('This rule was changed in the meantime. Saving replaces it with what you see here.'), true);
    this.#onChanged();
  }

  #onGone(rule: RuleInfo): void {
    this.#newId = rule.id;
    this.#rule = null;
    this.#sayConflict(_('This rule was deleted in the meantime. Saving adds it again.'), false);
    this.#onChanged();
  }

  #sayConflict(text: string, canTakeOver: boolean): void {
    this.#ui.get('conflict_text', Gtk.Label).setLabel(text);
    this.#ui.get('take_over', Gtk.Button).setVisible(canTakeOver);
    this.#showConflict(true);
  }

  #showConflict(shown: boolean): void {
    const revealer = this.#ui.get('conflict', Gtk.Revealer);
    revealer.setVisible(shown);
    revealer.setRevealChild(shown);
  }

  #takeOver(): void {
    if (this.#rule === null) return;
    this.#showConflict(false);
    this.#fill(formOf(this.#rule));
    this.#sources.read();
    this.#onChanged();
  }

  #close(): void {
    this.#mayClose = true;
    this.#window.close();
  }

  /** True keeps the window. */
  #onClose(): boolean {
    if (this.#mayClose || JSON.stringify(this.#fields.form) === this.#before) {
      this.#stopListening();
      this.#effect.stop();
      return false;
    }
    askToDiscard(this.#window, () => { this.#close(); });
    return true;
  }
}

function isNamed(form: RuleForm): boolean {
  return [form.path, form.package, form.flatpak, form.snap, form.appimage, form.script, form.sha256, form.container].some((part) => part !== '');
}

/** Does the rule say anything that stands below "More"? */
function hasMore(form: RuleForm): boolean {
  const { lifetime, schedule, user, profile, zone, interface: way, ancestor, protocol, pin, includeChildren, allScripts, name, group, priority } = form;
  const programs = [form.path, form.package, form.flatpak, form.snap, form.appimage, form.script, form.sha256].filter((part) => part !== '');
  const texts = [user, profile, zone, way, ancestor, name, group, schedule.from, schedule.to].some((part) => part !== '');
  const flags = pin || includeChildren || allScripts || schedule.days.length > 0 || programs.length > 1;
  return texts || flags || lifetime !== 'always' || priority !== '0' || !['tcp', 'udp', 'tcp,udp', ''].includes(protocol);
}
