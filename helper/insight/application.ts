/** Which application a recorded flow belongs to, and whether a rule may be proposed from it at all. */
import type { Identity, ProgramMatch, RuleMatch } from '../contract/vocabulary.ts';
import { KERNEL_PATH } from '../contract/vocabulary.ts';
import { nameableSender } from '../policy/containers.ts';
import { isInstalled } from '../policy/program.ts';
import { isForwarded } from '../policy/recorded.ts';
import type { RecordedFlow } from '../policy/recorded.ts';

/** One application as a rule names it. */
export interface Application {
  /** One text for one application, for maps. Never shown. */
  readonly key: string;
  readonly match: ProgramMatch & Pick<RuleMatch, 'container'>;
  /** For people. */
  readonly name: string;
  /** Many programs act through it, so that nothing wider than what was seen is proposed. */
  readonly isShared: boolean;
}

/**
 * Why nothing is proposed from a flow.
 *
 * uncertain: it is not certain which program it was. changed: the program's file is not the one that it was known as.
 * claimed-script: the script is known from a command line only, which the program could have written itself. interpreter: an
 * interpreter whose script is not known. forwarded: of another machine, or of a container that is not sure. asked: a rule says that such flows are
 * asked about. refused: a proposal would also allow what a rule or an answer has refused. crowded: there were too many
 * different ones to remember, or to make rules of.
 */
export const LEFT_OUT = [
  'uncertain', 'changed', 'claimed-script', 'interpreter', 'forwarded', 'asked', 'refused', 'crowded',
] as const;
export type LeftOut = (typeof LEFT_OUT)[number];

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1) || path;
}

function named(match: Application['match'], name: string, isShared = false): Application {
  return { key: JSON.stringify(match), match, name, isShared };
}

/** Is this one of the parts that a proposal may rest on? */
function sandbox({ identity }: RecordedFlow): ProgramMatch {
  if (identity?.flatpak !== undefined) return { flatpak: identity.flatpak };
  return identity?.snap === undefined ? {} : { snap: identity.snap };
}

function scriptOf(record: RecordedFlow): Application | LeftOut {
  const { script, scriptEvidence } = record.identity ?? {};
  if (script === undefined) return 'interpreter';
  if (scriptEvidence !== 'exec') return 'claimed-script';
  const { identity = { path: null }, path } = record;
  return named({ ...sandbox(record), ...(isInstalled(identity) || path === null ? {} : { path }), script }, baseName(script));
}

/**
 * The application of a flow: its package, else its Flatpak or Snap, else its AppImage, else its path; a script in place of its
 * interpreter; the container of a forwarded flow. Or why there is none that a rule could rest on.
 */
export function applicationOf(record: RecordedFlow): Application | LeftOut {
  if (isForwarded(record)) {
    const container = nameableSender(record.containers)?.name;
    return container === undefined ? 'forwarded' : named({ container }, `Container ${container}`);
  }
  if (record.confidence !== 'certain' || record.uid === null) return 'uncertain';
  const { identity } = record;
  if (identity === undefined) return programOf(record);
  const known = APPLICATIONS.get(identity);
  if (known !== undefined) return known;
  const found = programOf(record);
  APPLICATIONS.set(identity, found);
  return found;
}

/** By identity: flows of one program share it, and are many. */
const APPLICATIONS = new WeakMap<Identity, Application | LeftOut>();

function programOf(record: RecordedFlow): Application | LeftOut {
  const { identity, path } = record;
  if (path === KERNEL_PATH) return named({ path }, 'the kernel', true);
  if (identity?.integrity === 'changed') return 'changed';
  if (identity?.interpreter === true || identity?.script !== undefined) return scriptOf(record);
  if (identity?.package !== undefined) return named({ package: identity.package }, identity.package);
  if (identity?.flatpak !== undefined) return named({ flatpak: identity.flatpak }, identity.flatpak);
  if (identity?.snap !== undefined) return named({ snap: identity.snap }, identity.snap);
  if (identity?.appImage !== undefined) return named({ appImage: identity.appImage }, baseName(identity.appImage));
  return path === null ? 'uncertain' : named({ path }, baseName(path));
}
