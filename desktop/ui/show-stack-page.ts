/** Pages of a stack. */
import type { Stack } from '../gtk.ts';

const waiting = new WeakSet<Stack>();

function hideOthers(stack: Stack): void {
  const shown = stack.getVisibleChild();
  for (let child = stack.getFirstChild(); child !== null; child = child.getNextSibling()) {
    if (child !== shown) child.setVisible(false);
  }
}

/** Shows this page and hides the others: up to GTK 4.8 a screen reader finds every page of a stack that is not hidden itself. */
export function showStackPage(stack: Stack, name: string): void {
  stack.getChildByName(name)?.setVisible(true);
  stack.setVisibleChildName(name);
  if (!stack.getTransitionRunning()) {
    hideOthers(stack);
  } else if (!waiting.has(stack)) {
    waiting.add(stack);
    stack.on('notify::transition-running', () => { if (!stack.getTransitionRunning()) hideOthers(stack); });
  }
}
