/** What a test and its host process say to each other. The host lives in the client namespace and has the addon loaded. */
import type { NativeAnswer, NativeCounters, NativeEvents, NativeFeatures, NativeOptions, NativeRemembered } from '../../../native/binding.ts';

export type Request =
  | { readonly op: 'open'; readonly addon: string; readonly options: NativeOptions }
  | { readonly op: 'answer'; readonly answers: readonly NativeAnswer[] }
  | { readonly op: 'remember'; readonly entries: readonly NativeRemembered[] }
  | { readonly op: 'forgetAll' }
  | { readonly op: 'trace'; readonly on: boolean }
  | { readonly op: 'counters' }
  | { readonly op: 'breakQueue' }
  /** Blocks the host's JavaScript thread after it has replied. */
  | { readonly op: 'block'; readonly ms: number }
  | { readonly op: 'close'; readonly unpin: boolean };

export type Reply = NativeFeatures | NativeCounters | number | null;

export type FromHost =
  | { readonly kind: 'reply'; readonly sequence: number; readonly value: Reply }
  | { readonly kind: 'failure'; readonly sequence: number; readonly code: string; readonly message: string }
  | { readonly kind: 'events'; readonly events: NativeEvents };

export interface ToHost {
  readonly sequence: number;
  readonly request: Request;
}
