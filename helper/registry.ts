/** Puts the registry of applications together with its files and its engine. */
import { createFileLook } from './adapters/applications/file-look.ts';
import type { FileLookOptions } from './adapters/applications/file-look.ts';
import { createApplicationStore } from './adapters/applications/store.ts';
import { createTrustedApplications } from './adapters/applications/trusted-file.ts';
import type { Rule } from './contract/vocabulary.ts';
import type { EngineApi } from './engine-api.ts';
import { ApplicationRegistry } from './engine/applications.ts';
import type { RegistryDeps } from './engine/applications.ts';

export interface RegistryOptions extends Pick<RegistryDeps, 'clock' | 'logger' | 'schedule' | 'onLoaded'> {
  /** Holds applications.toml. */
  readonly configDir: string;
  readonly stateDir: string;
  readonly engine: Pick<EngineApi, 'totals' | 'onEvents'> & { allRules(): Iterable<Rule> };
  /** Hashes files and knows their packages; absent: they are hashed on this thread, and nothing is known of packages. */
  readonly examine?: FileLookOptions['examine'];
}

/** Starts the registry: it follows the engine's flows and rules from when this resolves. */
export async function startRegistry({ configDir, stateDir, engine, examine, ...deps }: RegistryOptions): Promise<ApplicationRegistry> {
  const { logger } = deps;
  const registry = new ApplicationRegistry({
    ...deps,
    look: createFileLook(examine === undefined ? {} : { examine }),
    trusted: createTrustedApplications({ configDir, stateDir, logger }),
    store: createApplicationStore({ stateDir, logger }),
    totals: () => engine.totals(),
  });
  await registry.start();
  let due: NodeJS.Immediate | null = null;
  engine.onEvents({
    flows: (records) => { registry.observe(records); },
    // Once for all rules that one turn changes.
    rulesChanged: () => {
      due ??= setImmediate(() => {
        due = null;
        registry.setRules(engine.allRules());
      });
    },
  });
  return registry;
}
