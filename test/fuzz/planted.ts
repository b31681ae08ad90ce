/** A reader with a fault that only its fourth step shows: what a search that sees no code would hardly ever reach. */
export function readPlanted(input: Buffer): void {
  if (!isHigh(input[0])) return;
  if (!isHigh(input[1])) return;
  if (!isHigh(input[2])) return;
  if (isHigh(input[3])) throw new Error('the planted fault');
}

function isHigh(byte = 0): boolean {
  return (byte & 0xc0) === 0xc0;
}
