/** A lab with the helper in it, as a bed for measurements. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Lab } from '../lab/lab.ts';
import { ADDRESSES } from '../lab/network.ts';
import { inNamespace, startPeer } from './bed.ts';
import type { HelperBed, HelperSetting } from './helper-figures.ts';
import { CLIENT_LIMIT_MS, PORTS, SOURCE_PORT, Service, parseClient, type ClientResult, type Programs } from './programs.ts';

/** `kernel` is the product; the others leave a layer out to show what it is worth: `unrecorded` has no history. */
export interface LabSetting extends HelperSetting {
  readonly decide: 'kernel' | 'unrecorded' | 'thread' | 'sock_diag';
  /** Ports that the peer accepts on; all of PORTS by default. */
  readonly ports?: number;
}

const HELPER_ARGUMENTS = { kernel: [], unrecorded: [], thread: ['--decide-in', 'thread'], sock_diag: [] } as const;
/** A rule file has a size limit, and so has the number of files. */
const RULES_PER_FILE = 10_000;
const LAST_OCTET = 254;

/** Each for a network: no decision under such a rule says more than its own destination, so each new one is asked about. */
function ownRules(programs: Programs): string {
  const ports = `${String(SOURCE_PORT)}-${String(PORTS.first + PORTS.count)}`;
  const networks = [`${ADDRESSES.peer4}/24`, `${ADDRESSES.peer6}/64`, ADDRESSES.peerRange4];
  const rules = [programs.connect, programs.bulk].flatMap((path) => networks.map((address) => ({ path, address })));
  return rules.map(({ path, address }, index) => `[[rule]]
id = "bench-${String(index)}"
action = "allow"
application = { path = "${path}" }
destination = { address = "${address}", port = "${ports}" }
`).join('\n');
}

/** Rules of the kind that people collect: a program, an address, a port. None of them matches anything here. */
function otherRules(from: number, count: number): string {
  const blocks: string[] = [];
  for (let number = from; number < from + count; number++) {
    const address = `198.51.${String(Math.trunc(number / LAST_OCTET) % LAST_OCTET)}.${String(1 + number % LAST_OCTET)}`;
    blocks.push(
      `[[rule]]\nid = "other-${String(number)}"\naction = "${number % 3 === 0 ? 'deny' : 'allow'}"\n`
      + `application = { path = "/usr/bin/program-${String(number % 1000)}" }\n`
      + `destination = { address = "${address}", port = "${String(1 + number % 65_535)}", protocol = "tcp" }\n`,
    );
  }
  return blocks.join('\n');
}

function writeOtherRules(lab: Lab, count: number): void {
  for (let from = 0; from < count; from += RULES_PER_FILE) {
    const text = otherRules(from, Math.min(RULES_PER_FILE, count - from));
    writeFileSync(join(lab.configDir, 'rules.d', `20-other-${String(from)}.toml`), text, { mode: 0o640 });
  }
}

async function startAgent(lab: Lab): Promise<Service> {
  const command = [process.execPath, join(import.meta.dirname, 'agent.ts')];
  return await Service.adopt(lab.spawn(command, { stdio: ['pipe', 'pipe', 'inherit'] }), 'the agent');
}

/** Opens a lab with rules that allow the client programs, and default_action deny (ask with an agent). */
export async function openHelper(programs: Programs, setting: LabSetting): Promise<HelperBed> {
  const lab = await Lab.create({
    defaultAction: setting.agent ? 'ask' : 'deny', rules: ownRules(programs), startHelper: false,
    bpf: setting.decide !== 'sock_diag', helperArguments: HELPER_ARGUMENTS[setting.decide],
    ...(setting.settings === undefined ? {} : { settings: setting.settings }),
    ...(setting.decide === 'unrecorded' ? { settings: '[history]\nenabled = false\n' } : {}),
  });
  const services: Service[] = [];
  const close = async (): Promise<void> => {
    for (const service of services.splice(0)) await service.close();
    await lab.dispose();
  };
  try {
    writeOtherRules(lab, setting.otherRules);
    const startedMs = performance.now();
    await lab.startHelper();
    const startedInMs = performance.now() - startedMs;
    const server = await startPeer(inNamespace(lab.peerNamespace), programs, setting.ports ?? PORTS.count);
    services.push(server);
    const agent = setting.agent ? await startAgent(lab) : null;
    if (agent !== null) services.push(agent);
    const client = async (args: readonly (string | number)[], program: string = programs.connect): Promise<ClientResult> => {
      const { stdout, stderr, status } = await lab.run([program, ...args.map(String)], { timeoutMs: CLIENT_LIMIT_MS });
      if (status !== 0) throw new Error(`the client ended with status ${String(status)}: ${stderr}`);
      return parseClient(stdout);
    };
    return {
      peer4: lab.peer4, peer6: lab.peer6, worker: lab.helperPid, helperPid: lab.helperPid, startedInMs, close, client,
      peerNamespace: lab.peerNamespace, busAddress: lab.busAddress, bulkProgram: programs.bulk,
      repeat: async (program, args) => {
        const command = [programs[program], 'repeat', ...args.map(String)];
        const service = await Service.adopt(lab.spawn(command, { stdio: ['pipe', 'pipe', 'inherit'] }), program);
        services.push(service);
        return service;
      },
      bulk: (args) => client(args, programs.bulk),
      datagrams: () => server.datagrams(),
      raisePrompt: async (port) => {
        if (agent === null) throw new Error('this bed has no agent');
        const { startedUs } = await client(['tcp', lab.peer4, port, 1, 1, 1], programs.stranger);
        return (Number(await agent.line()) - startedUs) / 1000;
      },
    };
  } catch (error: unknown) {
    await close();
    throw error;
  }
}
