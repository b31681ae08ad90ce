/** The names that other programs rely on. Nothing here changes without a new interface number. */

export const BUS_NAME = 'org.bastionfirewall.Helper1';
export const OBJECT_PATH = '/org/bastionfirewall/Helper1';

export const INTERFACES = {
  helper: 'org.bastionfirewall.Helper1',
  rules: 'org.bastionfirewall.Helper1.Rules',
  prompts: 'org.bastionfirewall.Helper1.Prompts',
  activity: 'org.bastionfirewall.Helper1.Activity',
  applications: 'org.bastionfirewall.Helper1.Applications',
  network: 'org.bastionfirewall.Helper1.Network',
} as const;

/** polkit actions, see data/polkit/org.bastionfirewall.helper1.policy. */
export const ACTIONS = {
  view: 'org.bastionfirewall.helper1.view',
  viewAll: 'org.bastionfirewall.helper1.view-all',
  registerAgent: 'org.bastionfirewall.helper1.register-agent',
  answer: 'org.bastionfirewall.helper1.answer',
  editRules: 'org.bastionfirewall.helper1.edit-rules',
  setMode: 'org.bastionfirewall.helper1.set-mode',
  disable: 'org.bastionfirewall.helper1.disable',
  import: 'org.bastionfirewall.helper1.import',
} as const;

export type Action = (typeof ACTIONS)[keyof typeof ACTIONS];

/** What stands for a user that is not known. */
export const UNKNOWN_UID = 0xffff_ffff;

/** Exit codes of bastionctl, stable for scripts. */
export const EXIT = { done: 0, refused: 1, usage: 2, notConnected: 3, notAuthorized: 4 } as const;

/** Limits of the wire, applied before a message is decoded further. */
export const WIRE_LIMITS = {
  /** Longest string that any argument may hold, in UTF-16 code units. */
  stringLength: 4096,
  /** Longest text of rules taken by one call. */
  textLength: 1_048_576,
  /** Most entries of one dictionary. */
  dictionaryEntries: 64,
  /** Most elements of one array argument. */
  arrayElements: 1024,
  /** Rows of one page; a larger request is cut to this. */
  pageRows: 500,
} as const;

/** Formats that Import takes; see docs/import.md. */
export const IMPORT_FORMATS = [
  'bastion', 'bastion-rules', 'bastion-config', 'identities', 'rules-toml', 'opensnitch', 'lsrules', 'network-manager',
] as const;
/** Formats that Export makes. */
export const EXPORT_FORMATS = ['toml', 'json', 'bastion-rules'] as const;
/** What became of one thing of an imported file. */
export const IMPORT_OUTCOMES = ['kept', 'changed', 'review', 'skipped'] as const;
