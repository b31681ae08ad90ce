/** Loaded into a helper under test: SIGUSR2 keeps its JavaScript thread busy for a second, or for BUSY_MS. */
const BUSY_MS = Number(process.env['BUSY_MS'] ?? 1000);

process.on('SIGUSR2', () => {
  const end = performance.now() + BUSY_MS;
  while (performance.now() < end) Math.sqrt(end);
});
