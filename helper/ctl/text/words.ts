/** The firewall's words as sentences and labels for people. */
import type { PromptInfo, RuleInfo } from '../../contract/types.ts';
import type { NameSource, RuleAction, Scope } from '../../contract/vocabulary.ts';
import { conditionWords, placeWords, programWords } from './rule-words.ts';

const SERVICES: Readonly<Record<string, string>> = {
  'tcp/20': 'file transfer', 'tcp/21': 'file transfer', 'tcp/22': 'remote login', 'tcp/23': 'remote login, not encrypted',
  'tcp/25': 'mail', 'udp/53': 'name lookup', 'tcp/53': 'name lookup', 'udp/67': 'network setup', 'udp/68': 'network setup',
  'tcp/80': 'web, not encrypted', 'tcp/110': 'mail', 'udp/123': 'time', 'tcp/143': 'mail', 'tcp/389': 'directory',
  'tcp/443': 'encrypted web', 'udp/443': 'encrypted web', 'tcp/445': 'file sharing', 'tcp/465': 'mail', 'tcp/587': 'mail',
  'tcp/631': 'printing', 'tcp/636': 'directory', 'tcp/853': 'encrypted name lookup', 'tcp/993': 'mail', 'tcp/995': 'mail',
  'udp/1900': 'device discovery', 'tcp/3306': 'database', 'tcp/3389': 'remote desktop', 'udp/3478': 'calls',
  'tcp/5222': 'chat', 'udp/5353': 'device discovery', 'tcp/5432': 'database', 'tcp/5900': 'remote desktop',
  'tcp/6667': 'chat', 'tcp/6697': 'chat', 'tcp/8080': 'web, not encrypted', 'tcp/9418': 'git',
};

/** `encrypted web (443)`, `port 4711 (tcp)`, `ping`: the number stays visible. */
export function serviceWords(protocol: string, port: number): string {
  if (protocol === 'icmp') return port === 8 || port === 128 ? 'ping (icmp)' : `icmp, type ${String(port)}`;
  if (protocol !== 'tcp' && protocol !== 'udp') return /^\d+$/.test(protocol) ? `protocol ${protocol}` : protocol;
  const name = SERVICES[`${protocol}/${String(port)}`];
  return name === undefined ? `port ${String(port)} (${protocol})` : `${name} (${String(port)}${protocol === 'udp' ? ', udp' : ''})`;
}

/** `192.0.2.1:443`, `[2001:db8::1]:443`; the bare address for protocols without ports. */
export function endpoint(address: string, port: number, protocol: string): string {
  if (protocol !== 'tcp' && protocol !== 'udp') return address;
  return address.includes(':') ? `[${address}]:${String(port)}` : `${address}:${String(port)}`;
}

/** A lifetime of an answer as the choice names it: `always`, `while it runs`. */
export function lifetimeWords(lifetime: string): string {
  switch (lifetime) {
    case 'once': return 'once';
    case 'process': return 'while it runs';
    case 'session': return 'this session';
    case 'boot': return 'until restart';
    case 'always': return 'always';
    default: return lifetime;
  }
}

function hasPort(prompt: PromptInfo): boolean {
  return prompt.protocol === 'tcp' || prompt.protocol === 'udp';
}

/** What scope `domain` stands for: `*.example.org`, with the name itself where that is `example.org`. */
function domainWords({ pattern = '', by_name: name = '' }: PromptInfo): string {
  return pattern === `*.${name}` ? `${name} and ${pattern}` : pattern;
}

/** A scope of an answer as the choice names it: `this host`, `any host on this port`. */
export function scopeWords(scope: Scope, prompt: PromptInfo): string {
  switch (scope) {
    case 'host': return 'this host';
    case 'domain': return domainWords(prompt);
    case 'port': return hasPort(prompt) ? 'any host on this port' : 'any host';
    case 'any': return 'anything';
  }
}

const MAY: Readonly<Record<RuleAction, string>> = {
  allow: 'may', deny: 'may not', drop: 'may not (in silence)', ask: 'asks before it may',
};

/** A lookup is for its name, by whichever port it is reached then; without a name that counts, for the name server. */
function lookupWords(scope: 'host' | 'domain', prompt: PromptInfo, lifetime: string): string {
  if (lifetime === 'once') return `reach ${prompt.destination}`;
  if (scope === 'domain') return `reach ${domainWords(prompt)} on any port`;
  return prompt.by_name === undefined ? `reach the name server ${prompt.address}` : `reach ${prompt.by_name} on any port`;
}

function targetWords(scope: Scope, prompt: PromptInfo, lifetime: string): string {
  if (prompt.is_lookup && (scope === 'host' || scope === 'domain')) return lookupWords(scope, prompt, lifetime);
  const where = hasPort(prompt) ? ` on port ${String(prompt.port)}` : ` by ${prompt.protocol}`;
  switch (scope) {
    case 'host': return `reach ${prompt.destination}${where}`;
    case 'domain': return `reach ${domainWords(prompt)}${where}`;
    case 'port': return `reach any host${where}`;
    case 'any': return 'reach anything';
  }
}

/** The rule that an answer makes, in one sentence: `curl may reach example.org on port 443 while it runs.` */
export function answerSentence(prompt: PromptInfo, action: RuleAction, scope: Scope, lifetime: string, children = false): string {
  const when = lifetime === 'always' ? '' : lifetime === 'once' ? ' this once' : ` ${forHowLong(lifetime)}`;
  const always = lifetime === 'always' ? ' always' : '';
  const may = action === 'allow' ? `may${always}` : lifetime === 'always' ? 'may never' : 'may not';
  const started = children ? ` ${action === 'allow' ? 'So may' : 'Nor may'} the programs that it starts.` : '';
  const sentence = `${prompt.application} ${may} ${targetWords(scope, prompt, lifetime)}${when}.${started}`;
  const named = prompt.by_name !== undefined && (scope === 'host' || scope === 'domain');
  const follows = action === 'allow' && prompt.is_lookup && lifetime !== 'once' && scope !== 'any' && !named;
  return follows ? `${sentence} This once it may reach ${prompt.destination} too.` : sentence;
}

/** Where a name comes from, after the name: ``, `, from /etc/hosts`. */
export function sourceWords(source: NameSource | undefined): string {
  switch (source) {
    case 'program': return '';
    case 'hosts': return ', from /etc/hosts';
    case 'machine':
    case undefined: return ', perhaps: a service of this machine looked it up';
  }
}

/** `example.org (192.0.2.1:443)`; `perhaps example.org (...)` where nobody knows which program asked for the name. */
export function namedEndpoint(host: string, source: NameSource | undefined, where: string): string {
  if (host === '') return where;
  return `${source === 'machine' ? 'perhaps ' : ''}${host} (${where})`;
}

function forHowLong(lifetime: string): string {
  switch (lifetime) {
    case 'process': return 'while it runs';
    case 'session': return 'in this session';
    case 'boot': return 'until this machine restarts';
    default: return `for ${lifetime}`;
  }
}

/** A rule as one sentence: `/usr/bin/curl may reach 192.0.2.0/24 on port 443 by tcp, as user alice.` */
export function ruleSentence(rule: RuleInfo): string {
  const to = placeWords(rule) || 'any address';
  const port = rule.port === '' ? '' : ` on port ${rule.port}`;
  const protocol = rule.protocol === '' ? '' : ` by ${rule.protocol}`;
  const user = rule.user === '' ? '' : `, as user ${rule.user}`;
  const schedule = rule.schedule === '' ? '' : `, ${rule.schedule}`;
  const conditions = conditionWords(rule).map((one) => `, ${one}`).join('');
  return `${programWords(rule) || 'Any program'} ${MAY[rule.action]} reach ${to}${port}${protocol}${conditions}${user}${schedule}.`;
}
