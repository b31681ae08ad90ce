/** The whole helper on Debian 13's own kernel, at the root of the cgroups. */
import { DEBIAN_13 } from './rig/kernels.ts';
import { testKernel } from './rig/suite.ts';

testKernel(DEBIAN_13);
