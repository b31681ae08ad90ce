/** The helper's command line. */
import { parseArgs } from 'node:util';
import { join } from 'node:path';
import { SYSTEM_PLACES } from './adapters/identities/protocol.ts';
import { HOSTS_FILE, RESOLVER_FILES } from './adapters/resolver-config.ts';
import type { ResolverFiles } from './adapters/resolver-config.ts';

/** Where the helper reads, writes and listens. Every path is absolute. */
export interface HelperOptions {
  readonly configDir: string;
  readonly vendorDir: string;
  readonly stateDir: string;
  readonly runDir: string;
  /** D-Bus address; undefined for the system bus. */
  readonly bus: string | undefined;
  /** cgroup v2 folder whose processes are guarded; undefined for the root of the mounted hierarchy. */
  readonly cgroup: string | undefined;
  /** Folder on a bpffs for maps, programs and links. */
  readonly pinPath: string;
  /** `sock_diag` leaves the kernel programs out: the fallback, for machines and tests. */
  readonly identification: 'kernel' | 'sock_diag';
  /** `thread`: the kernel records owners, the receiver thread decides; for measuring what that costs. */
  readonly decideIn: 'kernel' | 'thread';
  readonly backend: 'iptables-nft' | 'iptables-legacy' | undefined;
  /** Which name servers count, and the names that need none. */
  readonly resolver: ResolverFiles;
  /** Where packages and Flatpaks are looked up. */
  readonly programs: { readonly database: string; readonly flatpak: string };
  /** Files that were changed a moment ago count like others: for tests, whose programs are all new. */
  readonly trustNewFiles: boolean;
}

export const HELP = `Usage: bastion-helper [OPTION...]

The root half of Bastion Firewall: holds, decides and remembers. Started by bastion-firewall.service.

      --config DIR          settings and rules (/etc/bastion)
      --vendor DIR          the vendor's rules (/usr/lib/bastion/rules.d)
      --state DIR           last good copies of rule files, programs, history (/var/lib/bastion)
      --run DIR             what lasts until the machine restarts (/run/bastion)
      --bus ADDRESS         D-Bus address instead of the system bus
      --cgroup PATH         guard the processes below this cgroup only
      --pin DIR             folder on a bpffs for maps and programs (/sys/fs/bpf/bastion)
      --identification HOW  kernel, or sock_diag to do without kernel programs
      --decide-in WHERE     kernel, or thread to let the receiver thread repeat decisions
      --backend NAME        iptables-nft or iptables-legacy instead of the one found
      --resolv-conf FILE    name servers whose answers count (/etc/resolv.conf, and systemd-resolved's)
      --hosts FILE          names known without a server (/etc/hosts)
      --dpkg DIR            database of installed packages (/var/lib/dpkg)
      --flatpak DIR         the system's Flatpak installation (/var/lib/flatpak)
      --trust-new-files     remember programs whose file was changed a moment ago; for tests
  -h, --help                this help
  -V, --version             the version

SIGHUP reads the rules again, SIGTERM stops and leaves the rules of the kernel as on_failure says.
`;

/** Says what is wrong with the command line; the caller prints it and exits with status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

function choice<const V extends readonly string[]>(name: string, value: string | undefined, values: V): V[number] | undefined {
  if (value === undefined) return undefined;
  const found = values.find((one) => one === value);
  if (found === undefined) throw new UsageError(`--${name} is one of ${values.join(', ')}, not '${value}'`);
  return found;
}

function absolute(name: string, value: string | undefined, otherwise: string): string {
  const path = value ?? otherwise;
  if (!path.startsWith('/')) throw new UsageError(`--${name} needs an absolute path, not '${path}'`);
  return path;
}

/** Parses the arguments after the program's name; throws UsageError. */
export function parseOptions(args: readonly string[], installDir: string): HelperOptions | 'help' | 'version' {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        config: { type: 'string' }, vendor: { type: 'string' }, state: { type: 'string' }, run: { type: 'string' },
        bus: { type: 'string' }, cgroup: { type: 'string' }, pin: { type: 'string' }, identification: { type: 'string' },
        'decide-in': { type: 'string' }, backend: { type: 'string' }, 'resolv-conf': { type: 'string' }, hosts: { type: 'string' },
        dpkg: { type: 'string' }, flatpak: { type: 'string' }, 'trust-new-files': { type: 'boolean' },
        help: { type: 'boolean', short: 'h' }, version: { type: 'boolean', short: 'V' },
      },
    }));
  } catch (error: unknown) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  if (values.help === true) return 'help';
  if (values.version === true) return 'version';
  const cgroup = values.cgroup === undefined ? undefined : absolute('cgroup', values.cgroup, '');
  return {
    configDir: absolute('config', values.config, '/etc/bastion'),
    vendorDir: absolute('vendor', values.vendor, join(installDir, 'rules.d')),
    stateDir: absolute('state', values.state, '/var/lib/bastion'),
    runDir: absolute('run', values.run, '/run/bastion'),
    bus: values.bus,
    cgroup,
    pinPath: absolute('pin', values.pin, '/sys/fs/bpf/bastion'),
    identification: choice('identification', values.identification, ['kernel', 'sock_diag'] as const) ?? 'kernel',
    decideIn: choice('decide-in', values['decide-in'], ['kernel', 'thread'] as const) ?? 'kernel',
    resolver: {
      resolver: values['resolv-conf'] === undefined ? RESOLVER_FILES : [absolute('resolv-conf', values['resolv-conf'], '')],
      hosts: absolute('hosts', values.hosts, HOSTS_FILE),
    },
    programs: {
      database: absolute('dpkg', values.dpkg, SYSTEM_PLACES.database),
      flatpak: absolute('flatpak', values.flatpak, SYSTEM_PLACES.flatpak),
    },
    trustNewFiles: values['trust-new-files'] === true,
    backend: choice('backend', values.backend, ['iptables-nft', 'iptables-legacy'] as const),
  };
}
