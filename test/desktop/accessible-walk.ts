/** What a screen reader's user meets in a window: controls without a name, and controls that the keyboard does not reach. */
import type { AccessibleNode, DesktopSession } from './desktop-session.ts';

/** An object with its ancestors, the nearest first, and all that is below it. */
export interface Placed extends AccessibleNode {
  readonly above: readonly Placed[];
  readonly below: Placed[];
}

/** What a person acts on, or what tells something by itself. */
const NAMED_ROLES: ReadonlySet<string> = new Set([
  'push button', 'toggle button', 'check box', 'radio button', 'text', 'entry', 'password text', 'combo box', 'slider', 'spin button', 'list item',
  'link', 'menu item', 'check menu item', 'radio menu item', 'menu', 'image', 'icon', 'progress bar', 'level bar', 'page tab', 'table cell',
  'tree item', 'calendar', 'frame', 'dialog', 'alert',
]);

/** Of a kind that only the toolkit's own fault explains. */
interface Exception {
  readonly why: string;
  readonly is: (node: Placed) => boolean;
}

function isWithin(node: Placed, role: string): boolean {
  return node.above.some((one) => one.role === role);
}

/** What can be looked at by scrolling only has no box. */
function isDrawn(node: AccessibleNode): boolean {
  return (node.box?.[2] ?? 0) > 0 && (node.box?.[3] ?? 0) > 0;
}

function holdsFocusable(node: Placed): boolean {
  return node.below.some((one) => one.states?.includes('focusable') === true && one.name !== '' && isOwnName(one.name));
}

/** Title of the window that lists the keys. */
export const SHORTCUTS = 'Keyboard Shortcuts';
/** Title that the toolkit gives to the window about the program. */
export const ABOUT = 'About';

const NAMELESS: readonly Exception[] = [
  { why: 'the arrow or pencil of a libadwaita row', is: (node) => node.role === 'image' && ['combo box', 'list item', 'text'].some((role) => isWithin(node, role)) && node.name === 'GtkImage' },
  { why: 'the row has no focus of its own: what stands in it has', is: (node) => node.role === 'list item' && node.name === '' && holdsFocusable(node) },
  { why: 'what libadwaita shows of the choice, beside the row that has the focus', is: (node) => node.role === 'list item' && node.name === '' && isWithin(node, 'combo box') },
  { why: 'what the toolkit puts into its own list of keys', is: (node) => node.above.at(-1)?.name === SHORTCUTS && ['GtkImage', 'GtkMenuButton'].includes(node.name) },
  { why: 'the icon, the arrows and the pages not shown of the toolkit’s own window', is: (node) => node.above.at(-1)?.name === ABOUT && (node.role === 'image' || (node.name === 'GtkTextView' && !isDrawn(node))) },
  { why: 'the toolkit’s own menu', is: (node) => node.role === 'menu' && node.name === 'GtkPopoverMenu' },
];

/** Up to GTK 4.8 what has no name is called by its class. */
function isOwnName(name: string): boolean {
  return !/^(?:\(None\)|(?:Gtk|Adw|Gdk|G)[A-Z]\w*)$/.test(name);
}

/** What is wrong with a name, '' for nothing. */
export function nameFault(name: string): string {
  if (name.trim() === '') return 'no name';
  if (!isOwnName(name)) return 'named by its class';
  if (/-symbolic\b|^[a-z]+(?:-[a-z0-9]+){2,}$/.test(name)) return 'named by an icon';
  if (/<\/?[a-z]+[^>]*>|&(?:amp|lt|gt|quot|apos|#\d+);/i.test(name)) return 'markup';
  if (/\{\w*\}|%[sdn]|\bundefined\b|\bnull\b|\bNaN\b|\[object/.test(name)) return 'a placeholder';
  if (/(?:^|\s)_\p{L}/u.test(name)) return 'the mark of a letter for the keyboard';
  return '';
}

/** Puts the flat list of a tree in order. */
export function place(tree: readonly AccessibleNode[]): readonly Placed[] {
  const path: Placed[] = [];
  return tree.map((node) => {
    while ((path.at(-1)?.depth ?? -1) >= node.depth) path.pop();
    const placed: Placed = { ...node, above: path.toReversed(), below: [] };
    for (const one of path) one.below.push(placed);
    path.push(placed);
    return placed;
  });
}

/** A control in words, with where it is. */
export function told(node: Placed): string {
  const named = node.above.find((one) => one.name !== '' && isOwnName(one.name));
  return `${node.role} “${node.name}” in ${named === undefined ? 'the window' : `${named.role} “${named.name}”`}`;
}

/** Every control whose name says nothing. */
export function nameFaults(nodes: readonly Placed[]): readonly string[] {
  return nodes.filter((node) => NAMED_ROLES.has(node.role)).flatMap((node) => {
    const fault = nameFault(node.name);
    return fault === '' || NAMELESS.some(({ is }) => is(node)) ? [] : [`${told(node)}: ${fault}`];
  });
}

/** Roles of what is operated; a list has the focus by its rows, a scrolled view by what is in it. */
const OPERATED: ReadonlySet<string> = new Set([
  'push button', 'toggle button', 'check box', 'radio button', 'text', 'entry', 'password text', 'combo box', 'slider', 'spin button', 'link', 'menu item',
]);

/** A row that has the focus itself says what it is. */
const FOCUSED_ROLES: ReadonlySet<string> = new Set([...OPERATED, 'list item']);

const UNREACHED: readonly Exception[] = [
  { why: 'the buttons of the window’s frame, which the desktop has keys for', is: (node) => (node.description ?? '').endsWith(" the window") },
  { why: 'of a row with a field the field has the focus', is: (node) => node.role === 'text' && node.below.some(({ role, name }) => role === 'text' && name === node.name) },
  { why: 'the row of a combo box has the focus, not what libadwaita puts into it', is: (node) => isWithin(node, 'combo box') && node.role !== 'push button' },
];

/** The controls of a window that somebody has to reach. */
export function operated(nodes: readonly Placed[], title: string): readonly Placed[] {
  return nodes.filter((node) => OPERATED.has(node.role) && isDrawn(node)
    && node.states?.includes('focusable') === true && node.states.includes('sensitive')
    && node.above.at(-1)?.name === title && !UNREACHED.some(({ is }) => is(node)));
}

/** So many in a row that had the keyboard before: the round is closed, also where it began aside. */
const KNOWN_IN_A_ROW = 4;
const MOST_PRESSES = 120;

/** Presses Tab until the keyboard comes round in the window of this title, and returns the ids of what had it, in order. */
export async function keyboardRound(session: DesktopSession, limit: number, title: string): Promise<readonly string[]> {
  const start = await session.focusAfter('', title);
  const seen: string[] = start === null ? [] : [start];
  let known = 0;
  for (let press = 0, at = start ?? ''; press < limit && known < KNOWN_IN_A_ROW; press += 1) {
    await session.key('Tab');
    const next = await session.focusAfter(at, title);
    if (next === null) break;
    known = seen.includes(next) ? known + 1 : 0;
    if (known === 0) seen.push(next);
    at = next;
  }
  return seen;
}

/** Collects what is wrong in many places, so that one run tells all of it. */
export class AccessibleWalk {
  readonly faults: string[] = [];
  readonly #session: DesktopSession;

  constructor(session: DesktopSession) {
    this.#session = session;
  }

  /** What is shown now has names. */
  async look(scene: string): Promise<readonly Placed[]> {
    const nodes = place(await this.#session.tree());
    if (nodes.length === 0) this.faults.push(`${scene}: nothing is shown`);
    this.#add(scene, nameFaults(nodes));
    return nodes;
  }

  /** Every control of this window has a name, and Tab comes to it; not to those of these names, which are not in front. */
  async tabThrough(scene: string, title: string, behind: readonly string[] = []): Promise<void> {
    const nodes = await this.look(scene);
    const controls = operated(nodes, title).filter(({ name }) => !behind.includes(name));
    if (controls.length === 0) this.faults.push(`${scene}: no control in “${title}”`);
    await this.#comeTo(scene, title, controls);
  }

  /** A window of its own: its names, and Tab in it. Escape closes it, and `parent` has the keyboard again. */
  async dialog(title: string, parent: string): Promise<void> {
    await this.#session.focus(title);
    await this.tabThrough(title, title);
    await this.#session.focus(title);
    await this.#session.key('Escape');
    await this.#session.gone('frame', title);
    await this.#session.focus(parent);
  }

  /** What a button of the window opens: its names, and Tab in it; not to those of these names, which the arrow keys lead to. Escape closes it. */
  async menu(button: string, title: string, byArrows: readonly string[] = []): Promise<void> {
    // What is not drawn yet would be taken for what the button opens.
    await this.#session.dark(false);
    const known = new Set(operated(await this.look(`before ${button}`), title).map(({ id }) => id));
    // The toolkit's menu button has the one that is pressed inside it.
    await this.#session.click('push button', button, 1);
    // The answer to a call comes after what the click did.
    await this.#session.dark(false);
    const controls = operated(await this.look(button), title).filter(({ id, name }) => !known.has(id) && !byArrows.includes(name));
    if (controls.length === 0) this.faults.push(`${button}: opens nothing`);
    await this.#comeTo(button, title, controls);
    await this.#session.key('Escape');
    const [first] = controls;
    if (first !== undefined) await this.#session.gone(first.role, first.name);
  }

  async #comeTo(scene: string, title: string, before: readonly Placed[]): Promise<void> {
    const reached = new Set<string>();
    let after: readonly Placed[] = [];
    let missed = before;
    // A list that changes meanwhile may take the keyboard elsewhere; what cannot be reached never is.
    for (let round = 0; round < 2 && (round === 0 || missed.length > 0); round += 1) {
      for (const id of await keyboardRound(this.#session, MOST_PRESSES, title)) reached.add(id);
      after = place(await this.#session.tree());
      // A list uses its rows again for others: what the keyboard came to is known by its name too.
      const named = new Set(after.filter(({ id }) => reached.has(id)).map(told));
      missed = before.filter((node) => !reached.has(node.id) && !named.has(told(node)));
    }
    this.#add(scene, missed.map((node) => `${told(node)}: not reached by Tab`));
    const nameless = after.filter((node) => reached.has(node.id) && FOCUSED_ROLES.has(node.role) && nameFault(node.name) !== '');
    this.#add(scene, nameless.map((node) => `${told(node)}: has the focus without a name`));
  }

  #add(scene: string, faults: readonly string[]): void {
    for (const fault of new Set(faults)) this.faults.push(`${scene}: ${fault}`);
  }
}
