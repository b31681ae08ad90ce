/** The whole helper on Debian 12's own kernel, at the root of the cgroups. */
import { DEBIAN_12 } from './rig/kernels.ts';
import { testKernel } from './rig/suite.ts';

testKernel(DEBIAN_12);
