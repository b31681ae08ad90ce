/** The packages on Debian 13. */
import { testPackages } from './package.ts';

testPackages('trixie');
