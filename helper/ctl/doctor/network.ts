/** What is wrong with sets of zones, with the sockets of container engines, and with who judges what comes in. */
import type { HelperClient } from '../../contract/client.ts';
import { BastionError } from '../../contract/errors.ts';
import type { NetworkState, NetworkZone } from '../../contract/types.ts';
import { readAll } from '../context.ts';
import { failed, ok, unknown } from './finding.ts';
import type { Finding } from './finding.ts';

function setFindings(zones: readonly NetworkZone[]): readonly Finding[] {
  const sets = zones.flatMap(({ sets: kept = [] }) => kept);
  const wrong = sets.filter(({ problem }) => problem !== '');
  if (wrong.length === 0) return sets.length === 0 ? [] : [ok('sets of zones', `${String(sets.length)} are kept`)];
  return wrong.map(({ name, problem }) => failed(`set ${name}`, problem, 'bastionctl network sets'));
}

function engineFindings({ engines = [] }: NetworkState): readonly Finding[] {
  return engines.flatMap(({ engine, socket, state, problem }) => {
    if (state === 'connected') return [ok(engine, `answers on ${socket}`)];
    return state === 'forbidden' || state === 'failing' ? [failed(engine, `${socket}: ${problem}`, 'bastionctl network engines')] : [];
  });
}

function inboundFindings(zones: readonly NetworkZone[], { inbound_by: keeper = 'nobody' }: NetworkState): readonly Finding[] {
  if (keeper === 'bastion' || !zones.some(({ inbound = 'off' }) => inbound !== 'off')) return [];
  const name = 'inbound';
  return [keeper === 'nobody'
    ? unknown(name, 'zones say what may come in, but nothing is in force: the firewall is off, or its rules could not be put in place')
    : unknown(name, `zones say what may come in, but ${keeper} is active and judges it`, `say it to ${keeper}, or switch it off`)];
}

/** Nothing where this user may not look. */
export async function networkFindings(client: HelperClient): Promise<readonly Finding[]> {
  try {
    const [zones, state] = await Promise.all([readAll((limit, cursor) => client.listZones(limit, cursor)), client.network()]);
    return [...setFindings(zones), ...engineFindings(state), ...inboundFindings(zones, state)];
  } catch (error: unknown) {
    if (error instanceof BastionError) return [];
    throw error;
  }
}
