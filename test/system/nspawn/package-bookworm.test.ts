/** The packages on Debian 12. */
import { testPackages } from './package.ts';

testPackages('bookworm');
