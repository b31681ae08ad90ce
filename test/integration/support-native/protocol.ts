/** What a test and its host process say to each other. The host lives in the client namespace and has the addon loaded. */
import type {
  NativeAnswer, NativeCounters, NativeEvents, NativeFeatures, NativeGatePosture, NativeOptions, NativeRemembered, NativeRememberedFlow,
  NativeTraffic,
} from '../../../native/binding.ts';

export type Request =
  | { readonly op: 'open'; readonly addon: string; readonly options: NativeOptions }
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
  | { readonly op: 'hits' }
  | { readonly op: 'traffic' }
  | { readonly op: 'trace'; readonly on: boolean }
  | { readonly op: 'counters' }
  | { readonly op: 'breakQueue' }
  /** Blocks the host's JavaScript thread after it has replied. */
  | { readonly op: 'block'; readonly ms: number }
  | { readonly op: 'close'; readonly unpin: boolean };

export type Reply = NativeFeatures | NativeCounters | readonly NativeTraffic[] | readonly number[] | number | boolean | null;

export type FromHost =
  | { readonly kind: 'reply'; readonly sequence: number; readonly value: Reply }
  | { readonly kind: 'failure'; readonly sequence: number; readonly code: string; readonly message: string }
  | { readonly kind: 'events'; readonly events: NativeEvents };

export interface ToHost {
  readonly sequence: number;
  readonly request: Request;
}
