/** The history thread: takes flows and questions in order, and thins the history while nothing else is to be done. */
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { BastionError } from '../../contract/errors.ts';
import type { HistorySettings } from '../../ports.ts';
import type { FromThread, Question, ToThread } from './messages.ts';
import { HistoryStore } from './store.ts';

/** What the thread is started with. */
export interface ThreadData {
  readonly folder: string;
  readonly settings: HistorySettings;
}

/** Age and size are looked at this often even if nothing is stored. */
const LOOK_EVERY_MS = 3_600_000;

/** Source: setpriority(2), "C library/kernel differences": on Linux of the calling thread alone. */
const NICE = 10;

const port = parentPort;
if (port === null) throw new Error('this is the thread of another program');
const { folder, settings } = workerData as ThreadData;
const tell = (message: FromThread): void => { port.postMessage(message); };

const store = new HistoryStore({
  folder,
  settings,
  now: Date.now,
  onState: (failure) => { tell({ kind: 'state', failure }); },
  onNote: (message, fields) => { tell({ kind: 'note', message, fields }); },
});

try {
  setPriority(NICE);
} catch {
  // Not allowed to step back: then as fast as the others.
}

let thinning = false;
let enabled = settings.enabled;

/** One step, then whatever else waits, then the next one. */
function thin(): void {
  thinning = store.thin();
  if (thinning) setImmediate(thin);
}

function look(): void {
  if (thinning) return;
  thinning = true;
  setImmediate(thin);
}

function answer(id: number, question: Question): void {
  try {
    tell({ kind: 'answer', id, value: store.ask(question) });
  } catch (error: unknown) {
    const { code, message } = error instanceof BastionError ? error : new BastionError('Failed');
    tell({ kind: 'refusal', id, code, text: message });
  }
}

function take(message: ToThread): void {
  switch (message.kind) {
    case 'flows': {
      const stored = enabled ? store.add(message.flows) : 0;
      tell({ kind: 'done', flows: message.flows.length, lost: message.flows.length - stored });
      if (store.wantsLook) look();
      return;
    }
    case 'ends': {
      const { ends } = message;
      tell({ kind: 'done', flows: ends.length, lost: enabled && store.end(ends) ? 0 : ends.length });
      return;
    }
    case 'traffic':
      if (enabled) store.move(message.rows, message.timeMs);
      return;
    case 'settings':
      ({ enabled } = message.settings);
      store.configure(message.settings);
      look();
      return;
    case 'ask':
      answer(message.id, message.question);
      return;
    case 'close':
      store.given(message.next);
      store.close();
      tell({ kind: 'closed' });
      port?.close();
      clearInterval(timer);
  }
}

const timer = setInterval(look, LOOK_EVERY_MS);
tell({ kind: 'ready', next: store.start() });
port.on('message', (message: ToThread) => { take(message); });
