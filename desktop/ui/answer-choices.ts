/** What an answer covers and for how long, with the rule that it makes in one sentence: in the prompt's window and the inbox. */
import type { Answer, PromptInfo } from '../../helper/contract/types.ts';
import { Adw, Gtk } from '../gtk.ts';
import type { Widget } from '../gtk.ts';
import { answerOf, defaultChoice, lifetimeChoices, offersChildren, scopeChoices } from '../model/choices.ts';
import type { Chosen } from '../model/choices.ts';
import { ruleSentence } from '../model/prompt-text.ts';
import type { FindProgram } from '../model/program-name.ts';
import { nameChoices } from './choice-list.ts';
import { loadUi } from './load-ui.ts';

export class AnswerChoices {
  readonly #find: FindProgram;
  readonly #ui = loadUi('answer-choices');
  readonly #scope = this.#ui.get('scope', Adw.ComboRow);
  readonly #lifetime = this.#ui.get('lifetime', Adw.ComboRow);
  readonly #children = this.#ui.get('children', Gtk.CheckButton);
  readonly #changed: () => void;
  #info: PromptInfo | null = null;
  #chosen: Chosen = { lifetime: 'once', scope: 'host' };
  #filling = false;

  /** `changed`: the sentences are other ones now. */
  constructor(find: FindProgram, changed: () => void) {
    this.#find = find;
    this.#changed = changed;
    for (const row of [this.#scope, this.#lifetime]) nameChoices(row);
    this.#scope.on('notify::selected', () => { this.#choose(); });
    this.#lifetime.on('notify::selected', () => { this.#choose(); });
    this.#children.on('toggled', () => { this.#choose(); });
  }

  get widget(): Widget {
    return this.#ui.get('choices', Gtk.Box);
  }

  /** Takes another prompt, or other choices of the same, and goes back to what is proposed. */
  fill(info: PromptInfo): void {
    const [scopes, lifetimes] = [scopeChoices(info), lifetimeChoices(info)];
    this.#info = info;
    this.#filling = true;
    this.#chosen = defaultChoice(info);
    this.#scope.setModel(Gtk.StringList.new(scopes.map((choice) => choice.label)));
    this.#scope.setSelected(scopes.findIndex((choice) => choice.value === this.#chosen.scope));
    this.#lifetime.setModel(Gtk.StringList.new(lifetimes.map((choice) => choice.label)));
    this.#lifetime.setSelected(lifetimes.findIndex((choice) => choice.value === this.#chosen.lifetime));
    this.#scope.setSensitive(scopes.length > 1);
    this.#lifetime.setSensitive(lifetimes.length > 1);
    this.#children.setActive(false);
    this.#filling = false;
    this.#show(info);
  }

  /** The rule that this answer makes, in words; '' before `fill`. */
  sentence(action: 'allow' | 'deny'): string {
    return this.#info === null ? '' : ruleSentence(this.#info, action, this.#chosen, this.#find);
  }

  /** null before `fill`. `nowMs`: wall time, ms since 1970. */
  answer(action: 'allow' | 'deny', nowMs: number): Answer | null {
    return this.#info === null ? null : answerOf(this.#info, action, this.#chosen, nowMs);
  }

  #choose(): void {
    const info = this.#info;
    if (this.#filling || info === null) return;
    this.#chosen = {
      scope: scopeChoices(info)[this.#scope.getSelected()]?.value ?? this.#chosen.scope,
      lifetime: lifetimeChoices(info)[this.#lifetime.getSelected()]?.value ?? this.#chosen.lifetime,
      children: this.#children.getActive(),
    };
    this.#show(info);
  }

  #show(info: PromptInfo): void {
    this.#ui.get('children_row', Adw.ActionRow).setVisible(offersChildren(info, this.#chosen.lifetime));
    this.#ui.get('sentence', Gtk.Label).setLabel(this.sentence('allow'));
    this.#changed();
  }
}
