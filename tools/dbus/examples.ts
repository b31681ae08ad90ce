/** Calls of docs/dbus.md. A test runs each of them against the service, in this order. */
export interface BusExample {
  readonly what: string;
  /** For a shell. */
  readonly command: string;
}

const OBJECT = 'org.bastionfirewall.Helper1 /org/bastionfirewall/Helper1';
const INTERFACE = 'org.bastionfirewall.Helper1';

function call(member: string, rest = ''): string {
  return `busctl call ${OBJECT} \\\n  ${INTERFACE}${member}${rest === '' ? '' : ` ${rest}`}`;
}

export const BUS_EXAMPLES: readonly BusExample[] = [
  { what: 'Everything there is', command: `busctl introspect ${OBJECT}` },
  { what: 'Mode and state', command: `busctl get-property ${OBJECT} \\\n  ${INTERFACE} Mode State` },
  { what: 'The first 50 rules, as JSON', command: call('.Rules List', 'us 50 ""').replace('busctl', 'busctl --json=pretty') },
  {
    what: 'A rule: refuse curl port 80 anywhere',
    command: call('.Rules Add', '\'a{sv}\' 4 \\\n  id s no-curl action s deny path s /usr/bin/curl port s 80'),
  },
  {
    what: 'What that would have done to everything recorded, were it for port 443',
    command: call('.Rules Simulate', '\'aa{sv}t\' 1 \\\n  3 op s update id s no-curl rule \'a{sv}\' 1 port s 443 0'),
  },
  { what: 'Switch it off, and delete it', command: `${call('.Rules Update', '\'sa{sv}\' no-curl 1 enabled b false')}\n${call('.Rules Remove', 's no-curl')}` },
  { what: 'The last 20 connections that were not allowed', command: call('.Activity Query', '\'a{sv}us\' 1 verdict s refused 20 ""') },
  { what: 'Questions that wait for an answer', command: call('.Prompts ListPending', 'us 10 ""') },
  { what: 'Allow everything that no rule denies for five minutes, and end that', command: `${call(' Pause', 'u 300')}\n${call(' Resume')}` },
  {
    what: 'Enforce on trial: the mode before comes back after five minutes unless it is set again without `confirm_s`',
    command: call(' SetMode', '\'sa{sv}\' enforcing 1 confirm_s u 300'),
  },
];
