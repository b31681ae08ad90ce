/** Containers and the engines that run them, in words. */
import { assertNever } from '../../helper/contract/errors.ts';
import type { NetworkContainer, NetworkEngine } from '../../helper/contract/types.ts';
import { _, fill, ngettext } from '../i18n.ts';
import { countText } from './durations.ts';
import type { NetworkRow } from './network-text.ts';
import { visible } from './plain-text.ts';

/** Lines of addresses of one container; more are counted. */
const ADDRESSES_SHOWN = 4;
const ID_SHOWN = 12;

/** A product's name is the same in every language. */
function engineName(engine: NetworkEngine['engine']): string {
  return engine === 'docker' ? 'Docker' : 'Podman';
}

function stateText({ state, socket }: NetworkEngine): string {
  const path = visible(socket, 200);
  switch (state) {
    case 'connected': return fill(_('Connected by {path}.'), { path });
    case 'connecting': return fill(_('Connecting by {path}…'), { path });
    case 'absent': return fill(_('Not running. Its containers appear here once {path} is there; another path can be set under [containers] in bastion.toml.'), { path });
    case 'forbidden': return fill(_('{path} cannot be opened: the firewall service is not allowed to.'), { path });
    case 'failing': return fill(_('{path} gives no answer that can be used.'), { path });
    default: return assertNever(state);
  }
}

/** One engine: whether its containers are known, and why not. */
export function engineRow(engine: NetworkEngine): NetworkRow {
  const isWrong = engine.state === 'forbidden' || engine.state === 'failing';
  const problem = visible(engine.problem, 400);
  return {
    icon: isWrong ? 'dialog-warning-symbolic' : 'network-server-symbolic', title: engineName(engine.engine),
    // What the helper found says more than the state alone.
    text: [isWrong && problem !== '' ? problem : stateText(engine), ...(engine.state === 'failing' ? [_('It is tried again by itself.')] : [])].join('\n'),
    isWrong,
  };
}

function addressLines({ host_network: isHost, addresses }: NetworkContainer): readonly string[] {
  if (isHost) return [_('Uses the network of this computer')];
  if (addresses.length === 0) return [_('In no network')];
  const more = addresses.length - ADDRESSES_SHOWN;
  return [
    ...addresses.slice(0, ADDRESSES_SHOWN).map((address) => visible(address, 128)),
    ...(more <= 0 ? [] : [fill(ngettext('{number} more address', '{number} more addresses', more), { number: countText(more) })]),
  ];
}

/** One container: its image, whether it runs, its zone, then each address in a line of its own. */
export function containerRow(container: NetworkContainer): NetworkRow {
  const { id, name, image, state, zone } = container;
  const place = zone === '' ? _('in no zone') : fill(_('zone {zone}'), { zone: visible(zone, 64) });
  const lines = [[visible(image, 128), state === 'paused' ? _('paused') : _('running'), place].join('  ·  '), ...addressLines(container)];
  return { icon: 'package-x-generic-symbolic', title: visible(name === '' ? id.slice(0, ID_SHOWN) : name, 128), text: lines.join('\n'), isWrong: false };
}

/** What a rule calls it: its name, or the beginning of its id where the name is none that a rule can have. */
export function ruleNameOf({ name, id }: NetworkContainer): string {
  return /^[A-Za-z0-9][A-Za-z0-9_.-]{0,126}$/.test(name) ? name : id.slice(0, ID_SHOWN);
}
