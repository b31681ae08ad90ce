/** What the thread that speaks with the engines is told and tells. Types only. */
import type { ContainerAddress, ContainerEngine, EngineView } from '../../ports.ts';

/** A container as its engine described it, bounded and in canonical text, before a zone is chosen. */
export interface SeenContainer {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly state: 'running' | 'paused';
  /** Text of the label org.bastionfirewall.zone, whatever it says, at most 64 characters; null for none. */
  readonly label: string | null;
  readonly hostNetwork: boolean;
  /** The container in whose network it lives: its id, or what else its engine calls it by; null for a network of its own. */
  readonly networkOf: string | null;
  /** Names of its networks, also of those without an address. */
  readonly networks: readonly string[];
  readonly addresses: readonly ContainerAddress[];
}

/** Where an engine listens. */
export interface EngineSocket {
  readonly engine: ContainerEngine;
  readonly socket: string;
  /** Socket of the other engine, '' for none: a link to it adds nothing. */
  readonly other: string;
}

export type ToEngines =
  /** The socket may be another one than before: no need to wait any longer. */
  | { readonly kind: 'look'; readonly engine: ContainerEngine };

export type FromEngines =
  /** What the engine says of this container is too long, or nothing that can be read: it is known as none. */
  | { readonly kind: 'unreadable'; readonly engine: ContainerEngine; readonly id: string }
  | { readonly kind: 'engine'; readonly engine: ContainerEngine; readonly state: EngineView['state']; readonly problem: string; readonly ownerUid: number }
  | {
      readonly kind: 'containers';
      readonly engine: ContainerEngine;
      readonly changed: readonly SeenContainer[];
      readonly gone: readonly string[];
    };
