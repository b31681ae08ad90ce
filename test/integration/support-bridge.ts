/** Containers on a bridge behind the lab's client, as Docker makes them, and a stand-in for the engine that tells of them. */
import type { TestContext } from 'node:test';
import type { HelperClient } from '../../helper/contract/client.ts';
import { Lab } from '../lab/lab.ts';
import type { LabOptions, Result } from '../lab/lab.ts';
import { enterNamespace } from '../lab/network.ts';
import { tool } from '../lab/process.ts';
import { described, StandIn } from '../unit/containers-support.ts';
import { clientOf, until } from './support.ts';

const NETWORK4 = '172.30.0';
const NETWORK6 = 'fd79:';
const BRIDGE = 'docker0';

/** The same last number in both families. */
export function addressesOf(host: number): readonly [string, string] {
  return [`${NETWORK4}.${String(host)}`, `${NETWORK6}:${String(host)}`];
}

function inside(namespace: string, argv: readonly string[], input = ''): void {
  const [command = '', ...args] = [...enterNamespace(namespace), ...argv];
  tool(command, args, input);
}

function ip(namespace: string, ...lines: readonly string[]): void {
  inside(namespace, ['ip', '-batch', '-'], lines.join('\n'));
}

/** One container: a network namespace on the bridge. */
export class BridgedContainer {
  readonly name: string;
  readonly id: string;
  readonly namespace: string;
  readonly #lab: Lab;

  constructor(lab: Lab, name: string, host: number) {
    this.#lab = lab;
    this.name = name;
    this.id = Buffer.from(name).toString('hex').padEnd(64, '0');
    this.namespace = `${lab.name}-${name}`;
    tool('ip', ['netns', 'add', this.namespace]);
    ip(lab.clientNamespace, `link add ${name}0 type veth peer name eth0 netns ${this.namespace}`, `link set ${name}0 master ${BRIDGE} up`);
    inside(this.namespace, ['sh', '-c', 'echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad']);
    ip(this.namespace, 'link set lo up', 'link set eth0 up');
    this.move(host);
  }

  /** Takes another address, as one that is started again. */
  move(host: number): void {
    const [address4, address6] = addressesOf(host);
    const [gateway4, gateway6] = addressesOf(1);
    ip(this.namespace, 'address flush dev eth0 scope global', `address add ${address4}/24 dev eth0`, `address add ${address6}/64 dev eth0 nodad`,
      `route replace default via ${gateway4}`, `route replace ::/0 via ${gateway6}`);
    inside(this.#lab.clientNamespace, ['ip', 'neigh', 'flush', 'dev', BRIDGE]);
  }

  run(argv: readonly string[]): Promise<Result> {
    return this.#lab.run([...enterNamespace(this.namespace), ...argv], { as: 'root' });
  }

  /** Loads the peer's page. */
  visit(address: string): Promise<Result> {
    const host = address.includes(':') ? `[${address}]` : address;
    return this.run(['curl', '--silent', '--show-error', '--max-time', '20', `http://${host}/`]);
  }

  /** A datagram from this very port; status 0 when its echo came back within the time. `tag` shows in the peer's counts. */
  datagram(address: string, port: number, tag: string, limitS: number): Promise<Result> {
    const script = 'my ($to, $from, $text, $limit) = @ARGV; my $s = IO::Socket::IP->new(Proto => "udp", PeerAddr => $to, PeerPort => 7, LocalPort => $from)'
      + ' or exit 2; $s->send($text); $SIG{ALRM} = sub { exit 3 }; alarm $limit; $s->recv(my $answer, 64) // exit 4; exit 0';
    return this.run(['perl', '-MIO::Socket::IP', '-e', script, address, String(port), `lab-tag:${tag};`, String(limitS)]);
  }
}

export interface BridgeRig {
  readonly lab: Lab;
  readonly client: HelperClient;
  readonly engine: StandIn;
  readonly web: BridgedContainer;
  readonly db: BridgedContainer;
  /** The engine tells where the two are now; resolves when the helper knows. */
  readonly tell: (webHost: number, dbHost: number) => Promise<void>;
}

/** `settings` are lines before the first table of bastion.toml. The containers `web` and `db` have the addresses 2 and 3. */
export async function bridgeRig(t: TestContext, settings: string, options: LabOptions = {}): Promise<BridgeRig> {
  const engine = new StandIn();
  await engine.listen();
  t.after(() => engine[Symbol.asyncDispose]());
  const lab = await Lab.create({ ...options, settings: `${settings}\n[containers]\ndocker = "${engine.socket}"\npodman = ""\n` });
  t.after(() => lab.dispose());
  const client = clientOf(lab);
  t.after(() => { client.close(); });
  const [gateway4, gateway6] = addressesOf(1);
  ip(lab.clientNamespace, `link add ${BRIDGE} type bridge`, `link set ${BRIDGE} up`, `address add ${gateway4}/24 dev ${BRIDGE}`,
    `address add ${gateway6}/64 dev ${BRIDGE} nodad`);
  inside(lab.clientNamespace, ['sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding']);
  ip(lab.peerNamespace, `route add ${NETWORK4}.0/24 via ${lab.client4}`, `route add ${NETWORK6}:/64 via ${lab.client6}`);
  const [web, db] = [new BridgedContainer(lab, 'web', 2), new BridgedContainer(lab, 'db', 3)];
  const tell = async (webHost: number, dbHost: number): Promise<void> => {
    for (const [container, host] of [[web, webHost], [db, dbHost]] as const) {
      const [address4, address6] = addressesOf(host);
      engine.containers.set(container.id, described(container.id, {
        name: container.name, image: `${container.name}:1`, networks: { bridge: { IPAddress: address4, IPPrefixLen: 24, GlobalIPv6Address: address6, GlobalIPv6PrefixLen: 64 } },
      }));
      engine.tellOf(container.id, 'start');
    }
    const wanted = JSON.stringify([[web.id, ...addressesOf(webHost)], [db.id, ...addressesOf(dbHost)]].sort());
    await until('the helper to know the containers', async () => {
      const { rows } = await client.listContainers(100, '');
      const known = rows.map(({ id, addresses }) => [id, ...addresses.map((one) => /^\S+ (\S+)\/\d+$/u.exec(one)?.[1] ?? one)]).sort();
      return JSON.stringify(known) === wanted ? true : null;
    }, 30_000);
  };
  await tell(2, 3);
  return { lab, client, engine, web, db, tell };
}
