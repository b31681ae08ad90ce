/** Stores flows without end in the folder of its argument, and prints the last number of each batch that is stored. To be killed. */
import { HistoryStore } from '../../helper/adapters/history/store.ts';
import { SETTINGS, elsewhere, flows } from './history-support.ts';

const store = new HistoryStore({
  folder: process.argv[2] ?? '', settings: SETTINGS, now: Date.now, onState: () => undefined, onNote: () => undefined,
});
let number = store.start();
function write(): void {
  if (store.add(flows(number, 256, elsewhere)) !== 256) throw new Error('a batch was not stored');
  number += 256;
  process.stdout.write(`${String(number - 1)}\n`);
  setImmediate(write);
}
write();
