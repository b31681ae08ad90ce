/**
 * The benchmark's agent, run as the user whose program asks: answers every prompt with "deny, once" and prints the time at
 * which the signal came, in us of CLOCK_MONOTONIC, one line each. BASTION_BUS is the bus's address.
 */
import { connectHelper } from '../../helper/contract/client.ts';

const NANOSECONDS_PER_US = 1000n;

const address = process.env['BASTION_BUS'];
if (address === undefined) throw new Error('BASTION_BUS is not set');
const helper = connectHelper({ address, interactive: false });
helper.on('promptRaised', ({ nonce }) => {
  const cameUs = process.hrtime.bigint() / NANOSECONDS_PER_US;
  helper.answer(nonce, { action: 'deny', lifetime: 'once' }).then(
    () => { process.stdout.write(`${String(cameUs)}\n`); },
    (error: unknown) => { process.stderr.write(`${String(error)}\n`); },
  );
});
await helper.registerAgent();
process.stdout.write('ready\n');
// The stdin of an agent is its leash.
process.stdin.resume().once('end', () => { helper.close(); });
