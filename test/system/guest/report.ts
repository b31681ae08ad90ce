/** How the checks inside the machine tell the test outside what they saw. */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Finding } from '../rig/vm.ts';
import { REPORT_PORT } from '../rig/initramfs.ts';
import type { Machine } from './machine.ts';

const PORTS = '/sys/class/virtio-ports';
const LOG_TAIL_CHARACTERS = 1500;

export interface Check {
  /** A sentence that is true where the product works. */
  readonly name: string;
  /** Resolves with what was measured, for the log. Throws when the sentence is not true. */
  readonly run: (machine: Machine) => Promise<string>;
}

export class Report {
  readonly #port: string;
  #count = 0;

  constructor() {
    const found = readdirSync(PORTS).find((name) => readFileSync(join(PORTS, name, 'name'), 'utf8').trim() === REPORT_PORT);
    if (found === undefined) throw new Error('the machine has no port for results');
    this.#port = join('/dev', found);
  }

  /** Runs one check and sends what came of it. */
  async check(machine: Machine, check: Check): Promise<void> {
    const startedMs = performance.now();
    const logged = machine.log().length;
    let fault: string | null = null;
    let facts = '';
    try {
      facts = await check.run(machine);
    } catch (error: unknown) {
      const what = error instanceof Error ? error.message : String(error);
      fault = `${what}\nlog meanwhile: ${machine.log().slice(logged).slice(-LOG_TAIL_CHARACTERS)}`;
    }
    const seconds = `${((performance.now() - startedMs) / 1000).toFixed(1)} s`;
    this.#send({ finding: { name: check.name, fault, facts: [facts, seconds].filter((text) => text !== '').join('; ') } });
  }

  done(): void {
    writeFileSync(this.#port, `${JSON.stringify({ done: this.#count })}\n`);
  }

  #send(line: { readonly finding: Finding }): void {
    this.#count++;
    writeFileSync(this.#port, `${JSON.stringify(line)}\n`);
  }
}
