/** Containers for tests, that come, go and change their addresses when told. */
import type { ContainerEnd } from '../../helper/contract/vocabulary.ts';
import type { Container, Containers, ContainerSigns, EngineView } from '../../helper/ports.ts';

/** A whole id that begins with `digits`. */
export function containerId(digits: string): string {
  return digits.padEnd(64, '0');
}

/** A running container of Docker with these addresses; without any it shares the machine's network. */
export function container(name: string, addresses: readonly string[] = [], change: Partial<Container> = {}): Container {
  return {
    engine: 'docker', id: containerId(Buffer.from(name).toString('hex')), name, image: `${name}:1`, state: 'running', zone: '',
    hostNetwork: addresses.length === 0,
    addresses: addresses.map((address) => ({ network: 'bridge', address, prefixLength: address.includes(':') ? 64 : 16 })),
    ...change,
  };
}

export function end(name: string, change: Partial<ContainerEnd> = {}): ContainerEnd {
  const { engine, id, image } = container(name);
  return { engine, id, name, image, side: 'sender', certain: true, ...change };
}

export class FakeContainers implements Containers {
  current: readonly Container[] = [];
  engines: readonly EngineView[] = [];
  /** By process. */
  readonly processes = new Map<number, string>();
  /** By which addresses come; others come by `docker0`. */
  readonly ways = new Map<string, string>();
  readonly signs: ContainerSigns = {
    ofProcess: ({ pid, cgroup }) => ({ id: this.processes.get(pid) ?? null, certain: cgroup !== 0n }),
    leadsTo: (interfaceName, address) => interfaceName === (this.ways.get(address) ?? 'docker0'),
  };
  readonly #listeners = new Set<() => void>();

  withAddress(address: string): Container | null {
    const found = this.current.filter(({ addresses }) => addresses.some((one) => one.address === address));
    return found.length === 1 ? found[0] ?? null : null;
  }

  withId(id: string): Container | null {
    return this.current.find((one) => one.id === id) ?? null;
  }

  onChanged(changed: () => void): () => void {
    this.#listeners.add(changed);
    return () => this.#listeners.delete(changed);
  }

  /** These run now, and no others. */
  set(...containers: readonly Container[]): void {
    this.current = containers;
    for (const listener of [...this.#listeners]) listener();
  }
}
