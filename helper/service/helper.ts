/** org.bastionfirewall.Helper1: state, mode, pause and what keeps the helper itself. */
import { array, string, u32, u64 } from '../contract/codec.ts';
import { BastionError } from '../contract/errors.ts';
import { ACTIONS, INTERFACES } from '../contract/names.ts';
import { check, degradedReason, loadError, mode, modeOptions, profileInfo, safeguardInfo, state, statistics } from '../contract/types.ts';
import type { Check, LoadError, ImportItemInfo, ImportSummary, SafeguardInfo } from '../contract/types.ts';
import type { EngineApi, SafeguardView } from '../engine-api.ts';
import type { Clock } from '../ports.ts';
import type { ListControl } from './lists.ts';
import { method, property } from './method.ts';
import { ModeTrial } from './mode-trial.ts';
import type { ServedInterface } from './method.ts';
import { clipped, forDialog } from './text.ts';
import { inRange } from './wire-types.ts';

const DAY_S = 86_400;
/** As long as the engine takes a trial. */
const HOUR_S = 3600;
/** A file or a check can have more to say than one message should hold. */
const MOST_ROWS = 200;

/** What main does for the service, because it concerns the whole helper. */
export interface Control {
  readonly version: string;
  /** Takes the firewall off this machine. */
  off(): Promise<void>;
  /** Reads settings and rules again; returns what did not load. */
  reload(): Promise<readonly LoadError[]>;
  selfTest(): Promise<readonly Check[]>;
  /** Throws BastionError InvalidArgument for an unknown level. */
  setLogLevel(level: string): void;
  setPacketTrace(on: boolean): void;
  loadErrors(): readonly LoadError[];
  readonly lists: ListControl;
  /** Reads foreign rules; all that can be added or, when it throws, nothing. */
  importRules(format: string, text: string, dryRun: boolean): Promise<{
    readonly items: readonly ImportItemInfo[];
    readonly summary: ImportSummary;
  }>;
  /** Throws BastionError NotSupported for an unknown format. */
  exportRules(format: string): Promise<string>;
}

/** Load errors as the wire takes them. */
export function loadErrorRows(errors: readonly LoadError[]): readonly LoadError[] {
  return errors.slice(0, MOST_ROWS).map((one) => ({ ...one, message: clipped(one.message) }));
}

/** The interface on `engine` and `control`. */
export function helperInterface(engine: EngineApi, control: Control, clock: Clock): ServedInterface {
  const trial = new ModeTrial(clock);
  return {
    name: INTERFACES.helper,
    methods: {
      Ping: method({ input: [], names: [], output: [], run: () => [] }),
      ...modeMethods(engine, trial),
      ...profileMethods(engine),
      ...controlMethods(control, trial),
    },
    properties: {
      Version: property(string, () => control.version),
      Mode: property(mode, () => engine.status().mode),
      State: property(state, () => engine.status().state),
      DegradedReasons: property(array(degradedReason), () => engine.status().degradedReasons),
      Statistics: property(statistics, () => engine.status().statistics),
      PausedUntil: property(u64, () => engine.status().pausedUntilMs),
      TrialEnds: property(u64, () => Math.max(engine.status().trial?.endsMs ?? 0, 0)),
      TrialBefore: property(string, () => engine.status().trial?.before ?? ''),
      Profile: property(string, () => engine.activeProfile() ?? ''),
    },
    signals: {},
  };
}

/** `uid`: whose programs are told of, null for everybody's. */
function safeguardRow(view: SafeguardView | null, uid: number | null): SafeguardInfo {
  const [widest] = view?.trips ?? [];
  const offenders = (view?.offenders ?? []).filter((one) => uid === null || one.uid === uid);
  return {
    on: view !== null,
    since_ms: view?.sinceMs ?? 0,
    refused: view?.refused ?? 0,
    ...(widest === undefined ? {} : { scope: widest.scope, rate: widest.rate }),
    offenders: offenders.map((one) => ({ path: clipped(one.application), uid: one.uid, refused: one.refused, rate: one.rate })),
  };
}

function modeSubject(wanted: string, confirmSeconds: number | undefined): string {
  return confirmSeconds === undefined ? `mode ${wanted}` : `mode ${wanted}, for ${String(confirmSeconds)} s unless it is confirmed`;
}

function modeMethods(engine: EngineApi, trial: ModeTrial): ServedInterface['methods'] {
  return {
    SetMode: method({
      input: [mode, modeOptions],
      names: ['mode', 'options'],
      output: [],
      cost: (caller, wanted, options) =>
        (options.confirm_s === undefined && trial.covers(caller, wanted) ? ACTIONS.view : null),
      details: (_caller, wanted, options) => ({ subject: modeSubject(wanted, options.confirm_s) }),
      async run(call, wanted, options) {
        const seconds = options.confirm_s;
        if (seconds === undefined) {
          // The time may have ended while polkit was asked, or somebody else decided: then the password is due after all.
          if (call.action !== ACTIONS.setMode && !trial.covers(call.caller, wanted)) throw new BastionError('NotAuthorized');
          trial.end();
          await engine.setMode(wanted);
          return [];
        }
        const before = engine.status().mode;
        await engine.setMode(wanted, inRange(seconds, 1, HOUR_S, 'options.confirm_s') * 1000);
        trial.start(call.caller, wanted, before, seconds);
        return [];
      },
    }),
    Pause: method({
      input: [u32],
      names: ['seconds'],
      output: [],
      details: (_caller, seconds) => ({ subject: `pause ${String(seconds)} s` }),
      async run(_call, seconds) {
        engine.pause(inRange(seconds, 1, DAY_S, 'seconds') * 1000);
        await engine.kept();
        return [];
      },
    }),
    Resume: method({
      input: [],
      names: [],
      output: [],
      details: () => ({ subject: 'resume' }),
      async run() {
        engine.resume();
        await engine.kept();
        return [];
      },
    }),
    Safeguard: method({
      input: [],
      names: [],
      output: [safeguardInfo],
      run: async (call) => [safeguardRow(engine.safeguard(), (await call.allows(ACTIONS.viewAll)) ? null : call.caller.uid)],
    }),
    EndSafeguard: method({
      input: [],
      names: [],
      output: [],
      details: () => ({ subject: 'end the safeguard' }),
      run() {
        engine.endSafeguard();
        return [];
      },
    }),
  };
}

function profileMethods(engine: EngineApi): ServedInterface['methods'] {
  return {
    Profiles: method({
      input: [],
      names: [],
      output: [array(profileInfo)],
      run: () => [engine.profiles().map(({ id, name, active, chosen, recognized, isDefault, hasNetwork }) => ({
        id, name, active, chosen, recognized, is_default: isDefault, has_network: hasNetwork,
      }))],
    }),
    SetProfile: method({
      input: [string],
      names: ['id'],
      output: [],
      details: (_caller, id) => ({ subject: forDialog(id === '' ? 'profile of the network' : `profile ${id}`) }),
      run(_call, id) {
        engine.chooseProfile(id === '' ? null : id);
        return [];
      },
    }),
  };
}

function controlMethods(control: Control, trial: ModeTrial): ServedInterface['methods'] {
  return {
    Reload: method({
      input: [],
      names: [],
      output: [array(loadError)],
      details: () => ({ subject: 'reload' }),
      run: async () => [loadErrorRows(await control.reload())],
    }),
    Off: method({
      input: [],
      names: [],
      output: [],
      details: () => ({ subject: 'off' }),
      async run() {
        trial.end();
        await control.off();
        return [];
      },
    }),
    SelfTest: method({
      input: [],
      names: [],
      output: [array(check)],
      details: () => ({ subject: 'selftest' }),
      async run() {
        const checks = await control.selfTest();
        return [checks.slice(0, MOST_ROWS).map((one) => ({ ...one, detail: clipped(one.detail) }))];
      },
    }),
    SetLogLevel: method({
      input: [string],
      names: ['level'],
      output: [],
      details: (_caller, level) => ({ subject: forDialog(`log level ${level}`) }),
      run(_call, level) {
        control.setLogLevel(level);
        return [];
      },
    }),
  };
}
