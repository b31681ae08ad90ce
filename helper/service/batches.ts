/** Rows for several receivers, collected and sent at most ten times a second, with a bound for each receiver. */

/** Rows of one receiver that wait; what comes when it is full is counted and left out. */
export const BATCH_LIMITS = { waitingRows: 1000, rowsPerBatch: 250, everyMs: 100 } as const;

interface Queue<R> {
  rows: R[];
  lost: number;
}

/** `lost` of the first row of a batch tells how many were left out before it. */
export class Batches<R extends { readonly lost?: number }> {
  readonly #send: (receiver: string, rows: readonly R[]) => void;
  readonly #queues = new Map<string, Queue<R>>();
  #timer: NodeJS.Timeout | null = null;
  #lost = 0;

  constructor(send: (receiver: string, rows: readonly R[]) => void) {
    this.#send = send;
  }

  /** Rows left out since the start. */
  get lost(): number {
    return this.#lost;
  }

  add(receiver: string, row: R): void {
    let queue = this.#queues.get(receiver);
    if (queue === undefined) {
      queue = { rows: [], lost: 0 };
      this.#queues.set(receiver, queue);
    }
    if (queue.rows.length >= BATCH_LIMITS.waitingRows) {
      queue.lost += 1;
      this.#lost += 1;
      return;
    }
    queue.rows.push(row);
    this.#timer ??= setTimeout(() => {
      this.flush();
    }, BATCH_LIMITS.everyMs).unref();
  }

  /** Sends one batch to every receiver that has rows. */
  flush(): void {
    this.#timer = null;
    let left = false;
    for (const [receiver, queue] of this.#queues) {
      const batch = queue.rows.splice(0, BATCH_LIMITS.rowsPerBatch);
      const first = batch[0];
      if (first === undefined) continue;
      if (queue.lost > 0) batch[0] = { ...first, lost: queue.lost };
      queue.lost = 0;
      this.#send(receiver, batch);
      if (queue.rows.length === 0) this.#queues.delete(receiver);
      else left = true;
    }
    if (left) this.#timer = setTimeout(() => { this.flush(); }, BATCH_LIMITS.everyMs).unref();
  }

  forget(receiver: string): void {
    this.#queues.delete(receiver);
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#queues.clear();
  }
}
