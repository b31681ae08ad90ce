/** Stands for the helper in tests of the lab itself: owns its name on the bus, and ends when it is told to. */
import dbus from 'dbus-next';
import { BUS_NAME } from '../../helper/contract/names.ts';

const at = process.argv.indexOf('--bus');
const bus = dbus.sessionBus({ busAddress: process.argv[at + 1] ?? '' });
process.stderr.write('the stand-in started\n');
if (process.argv.includes('--fail')) {
  process.stderr.write('the stand-in fails as it should\n');
  process.exit(1);
}
await bus.requestName(BUS_NAME, 0);
