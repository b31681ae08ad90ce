/** A third network namespace behind the client's, as a container runtime makes one, and what is done in it. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Lab } from '../lab/lab.ts';
import type { Result, RunOptions } from '../lab/lab.ts';
import { enterNamespace } from '../lab/network.ts';
import { tool } from '../lab/process.ts';

/** Source: RFC 1918, RFC 4193. */
export const CONTAINER = { address4: '172.30.0.2', address6: 'fd79::2', interfaceName: 'cont0' } as const;
const GATEWAY4 = '172.30.0.1';
const GATEWAY6 = 'fd79::1';
const PREFIX4 = '172.30.0.0/24';
const PREFIX6 = 'fd79::/64';

function inside(namespace: string, argv: readonly string[], input = ''): string {
  const [command = '', ...args] = [...enterNamespace(namespace), ...argv];
  return tool(command, args, input);
}

function ip(namespace: string, ...lines: readonly string[]): void {
  inside(namespace, ['ip', '-batch', '-'], lines.join('\n'));
}

function set(namespace: string, path: string, value: string): void {
  inside(namespace, ['sh', '-c', 'echo "$2" > "/proc/sys/net/$1"', 'sh', path, value]);
}

/** A network namespace that the client's forwards for: to the peer and back, IPv4 and IPv6, without NAT. Goes with the lab. */
export class Container {
  readonly namespace: string;
  readonly #lab: Lab;
  readonly #first: ChildProcess;

  constructor(lab: Lab) {
    this.#lab = lab;
    const namespace = `${lab.name}-container`;
    this.namespace = namespace;
    const client = lab.clientNamespace;
    tool('ip', ['netns', 'add', namespace]);
    ip(client, `link add ${CONTAINER.interfaceName} type veth peer name eth0 netns ${namespace}`);
    for (const [where, name] of [[client, CONTAINER.interfaceName], [namespace, 'eth0']] as const) {
      set(where, `ipv6/conf/${name}/accept_dad`, '0');
    }
    ip(client, `link set ${CONTAINER.interfaceName} up`, `address add ${GATEWAY4}/24 dev ${CONTAINER.interfaceName}`,
      `address add ${GATEWAY6}/64 dev ${CONTAINER.interfaceName} nodad`);
    ip(namespace, 'link set lo up', 'link set eth0 up', `address add ${CONTAINER.address4}/24 dev eth0`,
      `address add ${CONTAINER.address6}/64 dev eth0 nodad`, `route add default via ${GATEWAY4}`, `route add ::/0 via ${GATEWAY6}`);
    set(client, 'ipv4/ip_forward', '1');
    set(client, 'ipv6/conf/all/forwarding', '1');
    // Like a container's first process: it lives as long as the container.
    this.#first = lab.spawn([...enterNamespace(namespace), 'sh', '-c', 'echo ready; exec sleep infinity'], { as: 'root' });
    ip(lab.peerNamespace, `route add ${PREFIX4} via ${lab.client4}`, `route add ${PREFIX6} via ${lab.client6}`);
  }

  /** The number of the process that lives as long as the container, when it is in there. */
  async firstProcess(): Promise<number> {
    const { stdout, pid } = this.#first;
    if (stdout === null || pid === undefined) throw new Error('the container has no process');
    if (!stdout.readableFlowing && stdout.readableLength === 0) await once(stdout, 'readable');
    return pid;
  }

  /** Runs a program as root in the container, in the cgroup that the helper guards. */
  run(argv: readonly string[], options: RunOptions = {}): Promise<Result> {
    return this.#lab.run([...enterNamespace(this.namespace), ...argv], { ...options, as: 'root' });
  }

  /** Loads the peer's page. */
  visit(address: string, limitS = 25): Promise<Result> {
    const host = address.includes(':') ? `[${address}]` : address;
    return this.run(['curl', '--silent', '--show-error', '--max-time', String(limitS), `http://${host}/`]);
  }

  /** One UDP datagram to the peer's echo service; status 0 when the echo came back within `limitS`. `tag` shows in the peer's counts. */
  datagram(address: string, tag: string, limitS = 25): Promise<Result> {
    const script = 'exec 3<>"/dev/udp/$1/7" && printf "%s" "$2" >&3 && read -r -t "$3" -N 1 -u 3';
    return this.run(['bash', '-c', script, 'bash', address, `lab-tag:${tag};`, String(limitS)]);
  }
}

/** Our rules about forwarded packets in the client's namespace, of both families. */
export function forwardRulesIn(lab: Lab): string {
  return ['iptables-nft-save', 'ip6tables-nft-save']
    .map((save) => inside(lab.clientNamespace, [save])).join('\n')
    .split('\n').filter((line) => line.includes('FORWARD') && line.includes('BASTION')).join('\n');
}
