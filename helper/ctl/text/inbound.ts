/** What a zone lets in, as one word each: `ssh`, `80,443/tcp`, `8080/tcp@192.168.0.0/16=/usr/sbin/nginx`. */
import type { InboundAllow } from '../../contract/types.ts';
import { UsageError } from '../errors.ts';

/** PORTS[/PROTOCOL], or /PROTOCOL, or a service; then @FROM; then =PROGRAM. */
const ENTRY = /^(?:(?<port>\d[\d,-]*)?(?:\/(?<protocol>tcp|udp))?|(?<service>[a-z][a-z0-9-]*))(?:@(?<from>[0-9a-fA-F.:/]+))?(?:=(?<application>\/.+))?$/;
const MORE = 'write a service such as ssh, or ports such as 80,443/tcp; then, if wanted, @ADDRESS and =/PATH/OF/PROGRAM';

export function allowText({ service = '', port = '', protocol = '', application = '', from = '' }: InboundAllow): string {
  const what = service === '' ? `${port}${protocol === '' ? '' : `/${protocol}`}` : service;
  return `${what}${from === '' ? '' : `@${from}`}${application === '' ? '' : `=${application}`}`;
}

/** Entries with blanks between them, none for ''. Throws UsageError. */
export function readAllow(text: string): readonly InboundAllow[] {
  return text.split(/\s+/).filter((word) => word !== '').map((word) => {
    const groups: Readonly<Partial<Record<string, string>>> = ENTRY.exec(word)?.groups ?? {};
    const allow = Object.fromEntries(Object.entries(groups).filter(([, value]) => value !== undefined));
    if (Object.keys(allow).length === 0) throw new UsageError(`--allow: '${word}' is no entry; ${MORE}`);
    return allow;
  });
}
