/** What a test and its host process say to each other. The host lives in the client namespace and has the addon loaded. */
import type {
  NativeAnswer, NativeCounters, NativeEvents, NativeExecutable, NativeFeatures, NativeFlow, NativeGatePosture, NativeHealth,
  NativeOptions,
  NativeProcessRecord, NativeRemembered, NativeRememberedFlow, NativeTraffic,
} from '../../../native/binding.ts';

export type Request =
  | { readonly op: 'open'; readonly addon: string; readonly options: NativeOptions }
  | { readonly op: 'loadAhead'; readonly addon: string; readonly objectPath: string; readonly pinPath: string }
  | { readonly op: 'removePins'; readonly addon: string; readonly pinPath: string }
  | { readonly op: 'answer'; readonly answers: readonly NativeAnswer[] }
  | { readonly op: 'remember'; readonly entries: readonly NativeRemembered[] }
  | {
    readonly op: 'replaceAll';
    readonly programs: readonly NativeRemembered[];
    readonly flows: readonly NativeRememberedFlow[];
    readonly policy: bigint;
  }
  | { readonly op: 'adopt'; readonly policy: bigint }
  | { readonly op: 'setGate'; readonly posture: NativeGatePosture }
  | { readonly op: 'setTellFlows'; readonly on: boolean }
  | { readonly op: 'leaveFlows' }
  | { readonly op: 'setRecorder'; readonly there: boolean }
  | { readonly op: 'generation' }
  | { readonly op: 'hits' }
  | { readonly op: 'traffic' }
  | { readonly op: 'processImage'; readonly pid: number; readonly startNs: bigint }
  | { readonly op: 'processRecord'; readonly pid: number; readonly startNs: bigint; readonly ran?: NativeExecutable }
  | { readonly op: 'trace'; readonly on: boolean }
  | { readonly op: 'counters' }
  | { readonly op: 'health' }
  | { readonly op: 'lostPins' }
  | { readonly op: 'breakQueue' }
  /** Blocks the host's JavaScript thread after it has replied, until somebody writes to the FIFO. */
  | { readonly op: 'block'; readonly fifo: string }
  /** From here on whatever the host is told takes it `ms` of its JavaScript thread. */
  | { readonly op: 'labour'; readonly ms: number }
  | { readonly op: 'close'; readonly unpin: boolean };

export type Reply = NativeFeatures | NativeCounters | NativeHealth | NativeProcessRecord | readonly NativeTraffic[] | readonly NativeFlow[] | readonly number[] | readonly string[] | string | number | boolean | null;

export type FromHost =
  | { readonly kind: 'reply'; readonly sequence: number; readonly value: Reply }
  | { readonly kind: 'failure'; readonly sequence: number; readonly code: string; readonly message: string }
  /** `call`: the first, second… since the event loop last had its turn. */
  | { readonly kind: 'events'; readonly events: NativeEvents; readonly call: number };

export interface ToHost {
  readonly sequence: number;
  readonly request: Request;
}
