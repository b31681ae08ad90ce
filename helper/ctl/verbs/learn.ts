/** learn: rules that would cover what was let pass in learning mode, to tick and add. */
import type { HelperClient } from '../../contract/client.ts';
import { NotConnectedError } from '../../contract/client.ts';
import type { Proposal, ProposeOptions } from '../../contract/types.ts';
import { EXIT } from '../../contract/names.ts';
import type { Context } from '../context.ts';
import { UsageError } from '../errors.ts';
import type { ExitCode } from '../errors.ts';
import { jsonText, printable } from '../text/escape.ts';
import type { Invocation, OptionValues, Verb } from '../tree.ts';
import { textOption } from './options.ts';
import { LOOKING_MS, SINCE_OPTION, sinceOption } from './simulate.ts';
import { tickRows } from './tick.ts';

/** While it is watched, proposals are worked out at most this often. */
const WATCH_EVERY_MS = 2000;

/** JSON of a proposal; the keys are stable. `number` is what --apply takes, null for what nothing is proposed for. */
function proposalJson(row: Proposal, index: number): unknown {
  return {
    number: row.kind === 'rule' ? index + 1 : null, kind: row.kind, text: row.text, rule: row.rule ?? null,
    applications: row.applications, destinations: row.destinations, users: row.users, connections: row.connections,
    first_ms: row.first_ms, last_ms: row.last_ms, coverage: row.coverage, examples: row.examples, confidence: row.confidence,
  };
}

/** Two lines of one proposal: what it says, and what it was seen for. */
function proposalLines(context: Context, row: Proposal, mark: string): string {
  const { format: { count }, style } = context;
  const seen = row.destinations.length === 0 ? '' : `; seen: ${row.destinations.join(', ')}`;
  const detail = `${count(row.coverage)} % of what would have been asked${row.kind === 'rule' ? seen : ''}; for example ${row.examples.slice(0, 3).join(', ')}`;
  return `${mark} ${row.kind === 'rule' ? style.strong(printable(row.text)) : printable(row.text)}\n${' '.repeat(mark.length + 1)}${style.faint(printable(detail))}\n`;
}

/** The list, numbered from 1; `ticked` shows boxes. */
function listText(context: Context, rows: readonly Proposal[], ticked: ReadonlySet<number> | null): string {
  const width = String(rows.length).length;
  return rows.map((row, index) => {
    const number = row.kind === 'rule' ? String(index + 1) : '';
    const box = ticked === null || row.kind !== 'rule' ? '' : ticked.has(index) ? '[x] ' : '[ ] ';
    return proposalLines(context, row, `${box}${number.padStart(width)}`);
  }).join('');
}

function optionsOf(context: Context, options: OptionValues): ProposeOptions {
  const sinceMs = sinceOption(context, options);
  return {
    ...(sinceMs === 0 ? {} : { since_ms: sinceMs }),
    ...(options['all'] === true ? { include_decided: true } : {}),
  };
}

/** Places in the list, from `all` or `1,3`. Throws UsageError. */
function chosen(text: string, rows: readonly Proposal[]): readonly number[] {
  const places = rows.flatMap(({ kind }, index) => (kind === 'rule' ? [index] : []));
  if (text === 'all') return places;
  return text.split(',').map((part) => {
    const index = /^\s*\d{1,4}\s*$/.test(part) ? Number(part) - 1 : -1;
    if (!places.includes(index)) throw new UsageError(`--apply: '${part.trim()}' is not one of the numbers 1 to ${String(places.length)}, nor all`);
    return index;
  });
}

/** Adds the rules in their order; the first failure ends it, what was added before stays. */
async function addRules(context: Context, rows: readonly Proposal[], places: readonly number[]): Promise<readonly string[]> {
  const client = await context.privilegedClient();
  const ids: string[] = [];
  for (const place of new Set(places)) {
    const rule = rows[place]?.rule;
    if (rule === undefined) continue;
    const id = await client.addRule(rule);
    ids.push(id);
    if (!context.options.json) context.say(`Added rule ${id}: ${rule.name ?? ''}`);
  }
  return ids;
}

/** Shows the proposals anew whenever something was decided, until Ctrl-C. */
class Watch {
  readonly #context: Context;
  readonly #client: HelperClient;
  readonly #options: ProposeOptions;
  #isDirty = true;
  #ended: 'stopped' | 'lost' | null = null;
  #shown = '';
  #wake: () => void = () => undefined;

  constructor(context: Context, client: HelperClient, options: ProposeOptions) {
    this.#context = context;
    this.#client = client;
    this.#options = options;
  }

  /** Throws NotConnectedError when the connection over ssh ended. */
  async run(): Promise<ExitCode> {
    const offs = this.#listen();
    try {
      await this.#client.subscribe({ packets: false });
      while (this.#ended === null) {
        if (this.#isDirty) await this.#show();
        await this.#rest();
      }
      if (this.#hasLost) throw new NotConnectedError('the connection over ssh ended');
      await this.#client.unsubscribe().catch(() => undefined);
      return EXIT.done;
    } finally {
      for (const off of offs) off();
    }
  }

  get #hasLost(): boolean {
    return this.#ended === 'lost';
  }

  #listen(): readonly (() => void)[] {
    const { io } = this.#context;
    const changed = (isDirty: boolean): void => {
      this.#isDirty = isDirty;
      this.#wake();
    };
    const end = (why: 'stopped' | 'lost'): void => {
      this.#ended = why;
      this.#wake();
    };
    void io.untilStopped().then(() => { end('stopped'); });
    void this.#context.untilBridgeEnds().then(() => { end('lost'); });
    return [
      this.#client.on('flows', () => { changed(true); }),
      this.#client.on('rulesChanged', () => { changed(true); }),
      this.#client.on('connected', (connected) => {
        this.#context.note(connected ? 'The helper is back.' : 'The helper went away; waiting for it.');
        changed(connected);
      }),
    ];
  }

  async #show(): Promise<void> {
    this.#isDirty = false;
    const { io, options: { json } } = this.#context;
    const rows = await this.#client.proposeRules(this.#options);
    const list = json ? `${jsonText(rows.map(proposalJson), false)}\n` : listText(this.#context, rows, null) || 'Nothing to propose yet.\n';
    if (list !== this.#shown) io.out(!json && io.stdoutIsTerminal ? `\x1b[H\x1b[2J${list}` : list);
    this.#shown = list;
    // What comes meanwhile is shown with the next list.
    await this.#until(WATCH_EVERY_MS);
  }

  /** Until there is something new to show, or it is over. */
  async #rest(): Promise<void> {
    if (!this.#isDirty && this.#ended === null) await this.#until(null);
  }

  /** Until the end, or for so long; with null, until something changes. */
  async #until(ms: number | null): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = () => { if (ms === null || this.#ended !== null) resolve(); };
      if (ms !== null) timer = setTimeout(resolve, ms);
    });
    clearTimeout(timer);
    this.#wake = () => undefined;
  }
}

async function run(context: Context, { options }: Invocation): Promise<ExitCode> {
  const wanted = optionsOf(context, options);
  const apply = textOption(options, 'apply');
  if (apply !== undefined && options['watch'] === true) throw new UsageError('--apply and --watch do not go together');
  context.client(LOOKING_MS);
  const client = await context.privilegedClient();
  if (options['watch'] === true) return await new Watch(context, client, wanted).run();
  const rows = await client.proposeRules(wanted);
  const { json } = context.options;
  const hasRules = rows.some(({ kind }) => kind === 'rule');
  if (json && apply === undefined) {
    context.json(rows.map(proposalJson));
    return EXIT.done;
  }
  if (!json && rows.length === 0) context.say('Nothing to propose: nothing was let pass that would have been asked about.');
  const isDialog = apply === undefined && hasRules && context.io.stdinIsTerminal && context.io.stdoutIsTerminal;
  if (!json && !isDialog) context.io.out(listText(context, rows, null));
  const places = apply !== undefined ? chosen(apply, rows) : isDialog
    ? await tickRows(context, rows.map(({ kind }) => kind === 'rule'), (ticked) => listText(context, rows, ticked))
    : [];
  const ids = places.length === 0 ? [] : await addRules(context, rows, places);
  if (json) context.json({ proposals: rows.map(proposalJson), added: ids });
  return EXIT.done;
}

export const learn: Verb = {
  name: 'learn',
  about: 'Propose rules for what was let pass in learning mode, and add those that are ticked',
  text: 'Nothing is proposed from a connection whose program is not certain. Your own connections, or everybody\'s for root. On a '
    + 'terminal rules are ticked by number; else --apply adds them.',
  options: [
    SINCE_OPTION,
    { name: 'watch', about: 'show the proposals as they come, until Ctrl-C' },
    { name: 'apply', value: 'NUMBERS', about: 'add these (1,3) or all' },
    { name: 'all', about: 'also what a rule allows by now' },
  ],
  examples: ['learn', 'learn --since 2h --watch', 'learn --apply 1,3', 'learn --json'],
  run,
};
