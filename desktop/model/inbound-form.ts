/** The form for one thing that a zone lets in, and the mistakes in it. The helper checks everything again. */
import type { InboundAllow } from '../../helper/contract/types.ts';
import { _ } from '../i18n.ts';
import { portParts } from './inbound.ts';
import { SSH } from './inbound-service.ts';
import { addressError, pathError, portsError } from './rule-check.ts';

/** What is let in: one of the named services, ports, or whatever a program listens on. */
export type InboundKind = 'service' | 'ports' | 'any';
export const INBOUND_PROTOCOLS = ['tcp', 'udp', ''] as const;

export interface InboundForm {
  readonly kind: InboundKind;
  readonly service: string;
  readonly port: string;
  readonly protocol: string;
  readonly application: string;
  readonly from: string;
}

export type InboundField = 'port' | 'application' | 'from';

const FROM_LIMIT = 64;
const PATH_LIMIT = 4096;

/** A new one lets in secure shell until something else is chosen. */
export function inboundForm(allow: InboundAllow | null): InboundForm {
  if (allow === null) return { kind: 'service', service: SSH, port: '', protocol: 'tcp', application: '', from: '' };
  const { service = '', port = '', protocol = '', application = '', from = '' } = allow;
  const kind = service !== '' ? 'service' : port === '' ? 'any' : 'ports';
  return { kind, service, port, protocol: service === '' ? protocol : 'tcp', application, from };
}

/** As the helper takes it: what is empty is left out. */
export function allowOf({ kind, service, port, protocol, application, from }: InboundForm): InboundAllow {
  const path = application.trim();
  const source = from.trim();
  return {
    ...(kind === 'service' ? { service } : {}), ...(kind === 'ports' ? { port: portParts(port).join(',') } : {}),
    ...(kind === 'service' || protocol === '' ? {} : { protocol }), ...(path === '' ? {} : { application: path }),
    ...(source === '' ? {} : { from: source }),
  };
}

/** Messages to show beside the fields; empty when it can be taken. */
export function checkInbound(form: InboundForm): ReadonlyMap<InboundField, string> {
  const errors = new Map<InboundField, string>();
  const set = (field: InboundField, message: string): void => { if (message !== '') errors.set(field, message); };
  const path = form.application.trim();
  const from = form.from.trim();
  if (form.kind === 'ports') set('port', portsError(form.port));
  if (path !== '') set('application', path.length > PATH_LIMIT ? _('This path is too long.') : pathError(path, _('The full path of a program, like /usr/sbin/sshd.')));
  if (from !== '') set('from', from.length > FROM_LIMIT ? addressError('') : addressError(from));
  if (form.kind === 'any' && path === '' && from === '') set('application', _('Name a program, or where connections come from: otherwise everything would be let in.'));
  return errors;
}

/** Do both let in the same? */
export function sameAllow(a: InboundAllow, b: InboundAllow): boolean {
  return JSON.stringify(allowOf(inboundForm(a))) === JSON.stringify(allowOf(inboundForm(b)));
}
