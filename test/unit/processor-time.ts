/**
 * The processor time of this thread that `work` takes, in milliseconds: what else the machine does meanwhile is not counted. For
 * costs that must not grow by the product of what there is.
 */
export function processorTime<T>(work: () => T): { readonly result: T; readonly tookMs: number } {
  const before = process.threadCpuUsage();
  const result = work();
  const { user, system } = process.threadCpuUsage(before);
  return { result, tookMs: (user + system) / 1000 };
}
