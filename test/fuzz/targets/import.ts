/** Foreign files. The first byte says which importer reads the rest; one choice looks which it is. */
import { BastionError } from '../../../helper/contract/errors.ts';
import { IMPORT_FORMATS } from '../../../helper/contract/names.ts';
import { formatOf } from '../../../helper/import/formats.ts';
import { assertSound, openSnitchRule, sample, simple, tried } from '../../unit/import-support.ts';
import type { Target } from '../engine.ts';

const NAMES: Readonly<Record<(typeof IMPORT_FORMATS)[number], string>> = {
  bastion: 'bastion.toml', 'bastion-rules': 'bastion-rules.json', 'bastion-config': 'bastion-config.json', identities: 'identities.toml',
  'rules-toml': 'rules.toml', opensnitch: 'opensnitch', lsrules: 'blocklist.lsrules', 'network-manager': 'network.yaml',
};

function guessed(text: string): (typeof IMPORT_FORMATS)[number] | null {
  try {
    return formatOf('auto', text).format;
  } catch (error: unknown) {
    if (error instanceof BastionError) return null;
    throw error;
  }
}

function run(input: Buffer): void {
  const text = input.subarray(1).toString('utf8');
  const format = IMPORT_FORMATS[(input[0] ?? 0) % (IMPORT_FORMATS.length + 1)] ?? guessed(text);
  if (format === null) return;
  const imported = tried(text, format);
  if (imported !== null) assertSound(imported);
}

function withChoice(choice: number, text: string): Buffer {
  return Buffer.concat([Buffer.from([choice]), Buffer.from(text).subarray(0, 4000)]);
}

export const target: Target = {
  name: 'import', run, maxBytes: 4096,
  seeds: [
    ...IMPORT_FORMATS.map((format, index) => withChoice(index, sample(NAMES[format]))),
    withChoice(IMPORT_FORMATS.length, sample('network.yaml')),
    withChoice(IMPORT_FORMATS.indexOf('opensnitch'), openSnitchRule(simple('dest.port', '443'))),
  ],
  dictionary: [
    '"operator":{', '"type":"list"', '"operand":"process.path"', '"data":"', '"action":"allow"', '"duration":"always"', '"rules":[', '"process":"', '"remote-domains":"', '"denied-remote-hosts":[', '"ports":"80-90"',
    '@name:x', '@dest:', ':443', '{"a":', '[[rule]]', 'interfaces:\n', '  - name: ', 'zones:\n', '&a ', '*a', '!!binary ', '<<: ', '? ', '|\n', '\\ud800', '\\u0000', '^(a|b)$', '*.example.org', '192.0.2.0/24', '2001:db8::/32',
  ],
};
