/** bastionctl: the firewall from a terminal. */
import { connectHelper } from '../contract/client.ts';
import { systemIo } from './io.ts';
import { run } from './run.ts';

const io = systemIo();
const exitCode = await run(process.argv.slice(2), io, connectHelper);
await io.flush();
process.exit(exitCode);
