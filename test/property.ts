/**
 * fast-check with the same cases in every run, so that what fails once fails again. BASTION_TEST_SEED=N tries others; a
 * property that fails tells its seed.
 */
import fc from 'fast-check';

fc.configureGlobal({ seed: Number(process.env['BASTION_TEST_SEED'] ?? 1) });

export default fc;
