/**
 * Memory comes before speed in processes that mostly wait. It also lets an idle process rest: V8 by itself puts the last
 * collection off until it has seen how fast objects are made, and where none are it looks every 8 seconds for ever. With this
 * it collects twice and is done. Source: V8 13.6, heap/memory-reducer.cc and Heap::ShouldOptimizeForMemoryUsage.
 */
import { setFlagsFromString } from 'node:v8';

/** For a process of ours that is started with flags. */
export const SMALL_HEAP_FLAG = '--optimize-for-size';

/** For one whose command line is a proof of what it is, and has to stay as it is. */
export function keepHeapSmall(): void {
  setFlagsFromString(SMALL_HEAP_FLAG);
}
