/** config.json of Bastion Firewall 1 and 2: settings, told as lines for bastion.toml; nothing is set. */
import { Draft } from './draft.ts';
import type { DraftRule } from './draft.ts';
import { readJson } from './json.ts';
import type { Node } from './node.ts';
import { refuse } from './types.ts';
import type { Imported } from './types.ts';

const GROUP = 'Imported from Bastion Firewall 2';
const SHORTEST_S = 5;
const LONGEST_S = 300;
/** Goes behind the other settings: keys after a table would be its own. */
const REFUSING_ZONE = 'default_zone = "outside"\n\n[[zone]]\nname = "outside"\ninbound = "deny"\nallow = []';
/** Private and link-local addresses. Source: RFC 1918, RFC 3927, RFC 4193, RFC 4291. */
const LOCAL_NETWORKS = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16', 'fc00::/7', 'fe80::/10'] as const;

interface Told {
  readonly draft: Draft;
  readonly at: number;
  readonly source: string;
}
type Reader = (told: Told, value: Node) => void;

const READERS: Readonly<Record<string, Reader>> = {
  mode: readMode,
  timeout_seconds: readTimeout,
  default_action: readDefaultAction,
  fail_closed: readFailClosed,
  allow_localhost: readLocalhost,
  allow_lan: readLan,
  inbound_protection: readInbound,
  popup_enabled: readPopup,
  notifications_enabled: noted('Each person chooses that in the preferences of the application.'),
  cache_decisions: noted('Decisions are always remembered, as exactly as they were made.'),
  log_decisions: noted('The history records every decision.'),
  log_file: noted('The journal has what the log file had.'),
  usb_control: noted('Bastion Firewall 3 does not control USB devices.'),
  usb_prompt_timeout_secs: noted('Bastion Firewall 3 does not control USB devices.'),
};

/** Reads config.json. Throws BastionError InvalidArgument with line and column, or LimitReached. */
export function importBastionConfig(text: string): Imported {
  const { root, lines } = readJson(text);
  if (root.kind !== 'table') return refuse(lines.place(root.at), 'config.json is a table of settings: { "mode": "enforcement" }.');
  const draft = new Draft(lines, GROUP);
  for (const [source, { at, value }] of root.entries) {
    const reader = Object.hasOwn(READERS, source) ? READERS[source] : undefined;
    if (reader === undefined) draft.skipped({ at, source, text: 'This setting is not known.' });
    else reader({ draft, at, source }, value);
  }
  const inbound = root.entries.get('inbound_protection')?.value;
  if (inbound?.kind === 'flag' && inbound.value) draft.setting(REFUSING_ZONE);
  return draft.done();
}

function noted(text: string): Reader {
  return ({ draft, at, source }) => draft.skipped({ at, source, text });
}

function setting({ draft, at, source }: Told, line: string, change?: string): void {
  draft.setting(line);
  if (change === undefined) draft.kept({ at, source, text: `As ${line} in bastion.toml.` });
  else draft.changed({ at, source, text: `${change} As ${line} in bastion.toml.` });
}

function notUnderstood({ draft, at, source }: Told, wanted: string): void {
  draft.skipped({ at, source, text: `The value is not ${wanted}; the setting here stays as it is.` });
}

function readMode(told: Told, value: Node): void {
  const mode = value.kind === 'text' ? value.value : '';
  if (mode === 'learning') setting(told, 'mode = "learning"');
  else if (mode === 'enforcement' || mode === 'enforcing') setting(told, 'mode = "enforcing"');
  else notUnderstood(told, '"learning" or "enforcement"');
}

function readTimeout(told: Told, value: Node): void {
  const seconds = value.kind === 'number' ? Math.trunc(value.value) : Number.NaN;
  if (!Number.isFinite(seconds)) {
    notUnderstood(told, 'a number of seconds');
    return;
  }
  const bounded = Math.min(Math.max(seconds, SHORTEST_S), LONGEST_S);
  const change = bounded === seconds ? undefined : `A question waits ${String(SHORTEST_S)} to ${String(LONGEST_S)} seconds.`;
  setting(told, `prompt_timeout_s = ${String(bounded)}`, change);
}

/** There it decided a question that nobody answered; here it stands in the place of the question. */
function readDefaultAction(told: Told, value: Node): void {
  const action = value.kind === 'text' ? value.value : '';
  if (action === 'prompt' || action === 'ask') setting(told, 'default_action = "ask"');
  else if (action === 'deny') setting(told, 'default_action = "ask"', 'Questions that nobody answers are refused anyway.');
  else if (action === 'allow') {
    told.draft.review({
      at: told.at, source: told.source,
      text: 'Here a question that nobody answers is always refused. default_action = "allow" would let everything pass without a question; it is not proposed.',
    });
  } else notUnderstood(told, '"allow", "deny" or "prompt"');
}

function readFailClosed(told: Told, value: Node): void {
  if (value.kind !== 'flag') notUnderstood(told, 'true or false');
  else if (value.value) setting(told, 'on_failure = "closed"');
  else {
    told.draft.review({
      at: told.at, source: told.source,
      text: 'There everything passed while the firewall was down. The same here is on_failure = "open"; it is not proposed.',
    });
  }
}

function readLocalhost({ draft, at, source }: Told, value: Node): void {
  if (value.kind === 'flag' && value.value) draft.kept({ at, source, text: 'What stays on this machine always passes.' });
  else draft.review({ at, source, text: 'What stays on this machine always passes here; it cannot be refused.' });
}

function readLan({ draft, at, source }: Told, value: Node): void {
  if (value.kind === 'flag' && !value.value) {
    draft.kept({ at, source, text: 'Local networks are asked about like any other.' });
    return;
  }
  if (value.kind !== 'flag') {
    notUnderstood({ draft, at, source }, 'true or false');
    return;
  }
  for (const address of LOCAL_NETWORKS) {
    const rule: DraftRule = { action: 'allow', address, name: `local network ${address}` };
    draft.review({ at, source, text: `Which networks were local is not said there. This is ${address}, for every program.`, rule, advice: 'It is off: switch it on if that network is yours.' });
  }
}

/** There it was for every interface. */
function readInbound({ draft, at, source }: Told, value: Node): void {
  if (value.kind !== 'flag') {
    notUnderstood({ draft, at, source }, 'true or false');
    return;
  }
  if (!value.value) {
    draft.kept({ at, source, text: 'What comes in is not looked at unless a [[zone]] of bastion.toml says so.' });
    return;
  }
  draft.changed({
    at, source,
    text: 'New connections from outside are refused by every interface without a zone of its own: default_zone and [[zone]] in bastion.toml. Name in allow what may come in, such as "ssh".',
  });
}

function readPopup(told: Told, value: Node): void {
  const { draft, at, source } = told;
  if (value.kind === 'flag' && value.value) draft.kept({ at, source, text: 'Questions are shown.' });
  else if (value.kind === 'flag') draft.review({ at, source, text: 'Without questions use default_action = "deny"; it is not proposed.' });
  else notUnderstood(told, 'true or false');
}
