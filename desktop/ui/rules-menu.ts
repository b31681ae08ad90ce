/** The menu of the rules page: order, groups, import and export. */
import { Gio, GLib } from '../gtk.ts';
import type { MenuButton } from '../gtk.ts';
import { RULE_SORTS } from '../model/rule-list.ts';
import type { RuleSort } from '../model/rule-list.ts';

export interface RulesMenuActions {
  sort(sort: RuleSort): void;
  closeGroups(): void;
  openGroups(): void;
  importRules(): void;
  exportRules(): void;
}

/** Gives the button's menu, which is in its XML, what it does. */
export function addRulesMenu(button: MenuButton, actions: RulesMenuActions): void {
  const group = new Gio.SimpleActionGroup();
  const sort = Gio.SimpleAction.newStateful('sort', GLib.VariantType.new('s'), GLib.Variant.newString('program'));
  sort.on('activate', (target) => {
    const found = RULE_SORTS.find((one) => one === stringOf(target));
    if (found === undefined) return;
    sort.setState(GLib.Variant.newString(found));
    actions.sort(found);
  });
  group.addAction(sort);
  const add = (name: string, run: () => void): void => {
    const action = new Gio.SimpleAction({ name });
    action.on('activate', run);
    group.addAction(action);
  };
  add('close-groups', () => { actions.closeGroups(); });
  add('open-groups', () => { actions.openGroups(); });
  add('import', () => { actions.importRules(); });
  add('export', () => { actions.exportRules(); });
  button.insertActionGroup('rules', group);
}

/** Text of an action's target. */
function stringOf(target: unknown): string {
  const variant = target as { readonly getString?: () => unknown } | null | undefined;
  const told = variant?.getString?.();
  const [text] = Array.isArray(told) ? (told as readonly unknown[]) : [told];
  return typeof text === 'string' ? text : '';
}
