/** What a zone lets in, as bastion.toml and as the bus have it. */
import { BastionError } from './contract/errors.ts';
import type { InboundAllow } from './contract/types.ts';
import type { ZoneInbound } from './engine-api.ts';
import { formatPorts, parseAddress, parsePorts } from './policy/text.ts';
import type { AllowedInbound } from './ports.ts';

const PROTOCOLS = ['tcp', 'udp'] as const;
const ALLOWED_LIMIT = 64;

function isGiven(text: string | undefined): text is string {
  return text !== undefined && text !== '';
}

export function allowRow({ service, ports, protocol, application, from }: AllowedInbound): InboundAllow {
  return {
    ...(service === undefined ? {} : { service }), ...(ports === undefined ? {} : { port: formatPorts(ports) }),
    ...(protocol === undefined ? {} : { protocol }), ...(application === undefined ? {} : { application }), ...(from === undefined ? {} : { from }),
  };
}

function allowedOf({ service, port, protocol, application, from }: InboundAllow): AllowedInbound {
  const ports = parsePorts(port ?? '');
  const source = parseAddress(from ?? '');
  if (!ports.ok) throw new BastionError('InvalidArgument', `port: ${ports.message}`);
  if (!source.ok) throw new BastionError('InvalidArgument', `from: ${source.message}`);
  const known = PROTOCOLS.find((one) => one === protocol);
  if (isGiven(protocol) && known === undefined) throw new BastionError('InvalidArgument', 'protocol: write tcp or udp, or nothing for both');
  if (isGiven(application) && !application.startsWith('/')) throw new BastionError('InvalidArgument', 'application: write the path of a program, such as /usr/sbin/sshd');
  if (isGiven(service) && (ports.value !== undefined || known !== undefined)) {
    throw new BastionError('InvalidArgument', 'a service says port and protocol itself: give one or the other');
  }
  const allowed: AllowedInbound = {
    ...(isGiven(service) ? { service } : {}), ...(ports.value === undefined ? {} : { ports: ports.value }),
    ...(known === undefined ? {} : { protocol: known }), ...(isGiven(application) ? { application } : {}),
    ...(source.value === undefined ? {} : { from: source.value }),
  };
  if (Object.keys(allowed).length === 0) throw new BastionError('InvalidArgument', 'allow: an entry without any key would let in everything; use the policy allow');
  return allowed;
}

/** Throws BastionError InvalidArgument or LimitReached. */
export function allowedInbound({ allow: rows }: ZoneInbound): readonly AllowedInbound[] {
  if (rows.length > ALLOWED_LIMIT) throw new BastionError('LimitReached', `A zone lets in at most ${String(ALLOWED_LIMIT)} things. Use ranges of ports, or fewer.`);
  return rows.map(allowedOf);
}
