/** Changes that the rules page makes: one after the other, with progress where they are many, and each with its undo. */
import type { HelperSession } from '../client/session.ts';
import { runChanges, undoOf } from '../client/change-rules.ts';
import { _, fill, ngettext } from '../i18n.ts';
import { countText } from '../model/durations.ts';
import { errorText } from '../model/error-text.ts';
import { runProblem } from '../model/rule-bulk.ts';
import type { Change, RunResult } from '../model/rule-bulk.ts';
import type { PageContext } from './page.ts';

/** Fewer are done before a progress bar has been read. */
const PROGRESS_FROM = 5;

export interface ChangesView {
  /** null when nothing is under way. */
  showProgress(progress: { readonly done: number; readonly total: number } | null): void;
  /** Something was changed, or was not: the rows show what is. */
  settled(): void;
}

export class RuleChanges {
  readonly #session: HelperSession;
  readonly #context: PageContext;
  readonly #view: ChangesView;
  #running = false;
  #stopped = false;

  constructor(context: PageContext, view: ChangesView) {
    this.#session = context.session;
    this.#context = context;
    this.#view = view;
  }

  /** While many are under way the list is not drawn anew for each. */
  get isRunning(): boolean {
    return this.#running;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** `text` says what was done, for the number that it was done to. */
  run(changes: readonly Change[], text: (count: number) => string): void {
    if (this.#running) {
      this.#context.toast(_('Other rules are being changed; try again in a moment.'));
      return;
    }
    this.#start(changes, (result) => { this.#tell(result, text); });
  }

  /** Switches a group; its undo switches it back. */
  setGroup(group: string, enabled: boolean): void {
    const { client } = this.#session;
    const set = (on: boolean, undo?: () => void): void => {
      client.setGroup(group, on).then(
        () => {
          this.#session.loadRules();
          this.#context.toast(on ? _('Group switched on') : _('Group switched off'), undo);
        },
        (error: unknown) => {
          this.#context.toast(errorText(error));
          this.#view.settled();
        },
      );
    };
    set(enabled, () => { set(!enabled); });
  }

  #start(changes: readonly Change[], finished: (result: RunResult) => void): void {
    this.#running = true;
    this.#stopped = false;
    const many = changes.length >= PROGRESS_FROM;
    if (many) this.#view.showProgress({ done: 0, total: changes.length });
    const progress = (done: number, total: number): void => { if (many) this.#view.showProgress({ done, total }); };
    runChanges(this.#session.client, changes, { progress, isStopped: () => this.#stopped }).then(
      (result) => {
        this.#end();
        finished(result);
      },
      (error: unknown) => {
        this.#end();
        this.#context.toast(errorText(error));
      },
    );
  }

  #end(): void {
    this.#running = false;
    this.#view.showProgress(null);
    this.#session.loadRules();
    this.#view.settled();
  }

  #tell(result: RunResult, text: (count: number) => string): void {
    const problem = runProblem(result);
    const back = undoOf(result);
    const lost = result.done.length - back.length;
    const parts = [
      result.done.length > 0 && result.end !== 'refused' ? text(result.done.length) : '',
      problem,
      lost > 0 && back.length > 0 ? fill(ngettext('{number} of them cannot be restored', '{number} of them cannot be restored', lost), { number: countText(lost) }) : '',
    ].filter((part) => part !== '');
    if (parts.length > 0) this.#context.toast(parts.join('. '), back.length === 0 ? undefined : () => { this.#undo(back); });
  }

  /** What an undo leaves undone is said; it has no undo of its own, for then nobody would know what is. */
  #undo(changes: readonly Change[]): void {
    if (this.#running) {
      this.#context.toast(_('Other rules are being changed; undo when that is done.'), () => { this.#undo(changes); });
      return;
    }
    this.#start(changes, (result) => {
      const problem = runProblem(result);
      if (problem !== '') this.#context.toast(problem);
    });
  }
}
