/** The number beside the page's name: how many questions wait, or wait for their next attempt. */
import { Inbox } from '../client/inbox.ts';
import type { PageContext } from './page.ts';

/** Right from the window's start, and while it is shown; what waits now is known without reading. */
export function watchInbox({ session, window, setBadge }: PageContext): void {
  const inbox = Inbox.of(session);
  const show = (): void => {
    const { connected, waiting } = session.knowledge;
    const { state } = inbox;
    setBadge('inbox', connected && state.kind === 'ready' ? state.prompts.length : waiting);
  };
  inbox.changed.on(show);
  session.changed.on(() => { if (inbox.state.kind !== 'ready' || !session.knowledge.connected) show(); });
  window.on('map', () => { inbox.count(true); });
  window.on('unmap', () => { inbox.count(false); });
}
