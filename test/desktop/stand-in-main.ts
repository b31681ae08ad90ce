/**
 * The process of the session with a helper that a test plays: commands come as JSON lines on stdin, calls go out as JSON lines
 * on stdout, those of the windows' process too. Bundled by the test, never shipped.
 */
import { createInterface } from 'node:readline';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { assetPath } from '../../desktop/assets.ts';
import { loadCatalogue } from '../../desktop/i18n.ts';
import { parseOptions } from '../../desktop/options.ts';
import { SessionApplication } from '../../desktop/session/application.ts';
import { activateOther } from '../../desktop/session/second-start.ts';
import { takeStartToken } from '../../desktop/session/surroundings.ts';
import type { HelperStatus } from '../../helper/contract/client.ts';
import { assertNever } from '../../helper/contract/errors.ts';
import type { ErrorCode } from '../../helper/contract/errors.ts';
import type { Explanation, FlowInfo, HistoryState, PromptEnd, PromptInfo, RuleInfo, TotalsInfo } from '../../helper/contract/types.ts';
import { manyFlows } from './flow-samples.ts';
import { jsonLine } from './json-line.ts';
import { Stalls } from './stalls.ts';
import { StandInClient } from './stand-in-client.ts';
import { serveStandIn } from './stand-in-socket.ts';
import { ruleInfoOf, statusOf } from './samples.ts';
import type { SampleNetwork } from './samples.ts';

/** What a test may say. */
export type StandInCommand =
  | { readonly do: 'connected'; readonly connected: boolean }
  | { readonly do: 'status'; readonly status: Partial<HelperStatus> }
  | { readonly do: 'rules'; readonly rules: readonly RuleInfo[] }
  | { readonly do: 'traffic'; readonly traffic: readonly TotalsInfo[]; readonly minutes?: readonly TotalsInfo[] }
  | { readonly do: 'flows'; readonly flows: readonly FlowInfo[] }
  | { readonly do: 'network'; readonly network: SampleNetwork }
  | { readonly do: 'raise'; readonly prompt: PromptInfo }
  /** Puts a prompt into the helper's list without telling anybody. */
  | { readonly do: 'keep'; readonly prompt: PromptInfo }
  | { readonly do: 'end'; readonly nonce: string; readonly why: PromptEnd }
  | { readonly do: 'refuse'; readonly call: string; readonly code: ErrorCode; readonly message: string }
  | { readonly do: 'accept'; readonly call: string }
  /** What a call returns from now on. */
  | { readonly do: 'answer'; readonly call: string; readonly value: unknown }
  /** A call waits until it is let go. */
  | { readonly do: 'hold'; readonly call: string }
  | { readonly do: 'let-go'; readonly call: string }
  | { readonly do: 'applications-changed' }
  | { readonly do: 'rehash-progress'; readonly doneBytes: number; readonly totalBytes: number }
  /** As a link from another page or a search does. */
  | { readonly do: 'open'; readonly page: string; readonly item: string }
  /** So many rules, made here. */
  | { readonly do: 'many-rules'; readonly count: number }
  | { readonly do: 'verified'; readonly verified: boolean }
  /** So many flows, made here: they are too many for a line. */
  | { readonly do: 'many-flows'; readonly count: number; readonly nowMs: number }
  | { readonly do: 'observe'; readonly flows: readonly FlowInfo[] }
  | { readonly do: 'history'; readonly history: Partial<HistoryState> }
  | { readonly do: 'explanation'; readonly flow: string; readonly explanation: Partial<Explanation> }
  /** Asks for the longest stretches of work: told as `stall` with those of the session's process and of the window's. */
  | { readonly do: 'stall' }
  /** Throws away what nobody holds any more, and tells `collect` then. */
  | { readonly do: 'collect' }
  /** Told as `windows`: how often the windows' process was started, and how often it ended by itself. */
  | { readonly do: 'windows' }
  /** Told as `taken` when the windows have taken every key that was pressed before. */
  | { readonly do: 'taken' }
  | { readonly do: 'dark'; readonly dark: boolean };

function tell(line: object): void {
  process.stdout.write(jsonLine(line));
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
}

function manyRules(count: number): readonly RuleInfo[] {
  return Array.from({ length: count }, (_value, at) => ruleInfoOf({ id: `rule-${String(at)}`, path: `/usr/bin/program-${String(at)}` }));
}

const parsed = parseOptions(process.argv.slice(2), '3.0.0');
if (parsed.kind !== 'run') throw new Error(parsed.text);
loadCatalogue(assetPath('locale'), process.env);
const token = takeStartToken(process.env);
const application = new SessionApplication(parsed.options, token, () => {
  const client = new StandInClient(statusOf(), tell);
  const stalls = new Stalls();
  let dark: boolean | null = null;
  const windows = serveStandIn(client, tell, (socket) => { if (dark !== null) windows.to(socket, { do: 'dark', dark }); });
  const obey = (command: StandInCommand): void => {
    switch (command.do) {
      case 'connected': client.setConnected(command.connected); return;
      case 'status': client.setStatus(command.status); return;
      case 'rules': client.setRules(command.rules); return;
      case 'traffic':
        client.traffic = command.traffic;
        client.minutes = command.minutes ?? client.minutes;
        return;
      case 'flows': client.flows = command.flows; return;
      case 'many-flows': client.flows = manyFlows(command.count, command.nowMs); return;
      case 'observe': client.observe(command.flows); return;
      case 'history': client.history = { ...client.history, ...command.history }; return;
      case 'explanation': client.explanations.set(command.flow, command.explanation); return;
      case 'network': client.setNetwork(command.network); return;
      case 'raise': client.raise(command.prompt); return;
      case 'keep': client.keep(command.prompt); return;
      case 'end': client.end(command.nonce, command.why); return;
      case 'refuse': client.refusals.set(command.call, { code: command.code, message: command.message }); return;
      case 'accept': client.refusals.delete(command.call); return;
      case 'answer': client.answers.set(command.call, command.value); return;
      case 'hold': client.held.add(command.call); return;
      case 'let-go': client.letGo(command.call); return;
      case 'applications-changed': client.emitApplicationsChanged(); return;
      case 'rehash-progress': client.emitRehashProgress(command.doneBytes, command.totalBytes); return;
      case 'open': application.agent?.open({ page: command.page, application: '', search: '', item: command.item }, ''); return;
      case 'many-rules': client.setRules(manyRules(command.count)); return;
      case 'verified': client.verified = command.verified; return;
      case 'stall':
        stalls.take((longestMs) => {
          tell({ call: 'session-stall', args: [longestMs] });
          if (!windows.command(command)) tell({ call: 'stall', args: [0] });
        });
        return;
      case 'collect':
        collectGarbage();
        tell({ call: 'collect', args: [] });
        return;
      case 'windows': tell({ call: 'windows', args: [application.agent?.windows.counters] }); return;
      case 'taken':
        if (!windows.command(command)) tell({ call: 'taken', args: [] });
        return;
      case 'dark':
        dark = command.dark;
        if (!windows.command(command)) tell({ call: 'dark', args: [dark] });
        return;
      default: assertNever(command);
    }
  };
  createInterface(process.stdin).on('line', (line) => { obey(JSON.parse(line) as StandInCommand); });
  tell({ call: 'ready', args: [] });
  return client;
});
process.once('SIGTERM', () => { application.quit(); });
if (application.register()) process.exit(application.run());
else if (!parsed.options.background) void activateOther(token);
