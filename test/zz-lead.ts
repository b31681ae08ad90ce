import { Lab } from './lab/lab.ts';
import { readFileSync } from 'node:fs';
const lab = await Lab.create({ defaultAction: 'deny', rules: readFileSync('/tmp/w/r.toml', 'utf8'), mode: 'enforcing' } as never);
const r = await lab.run(['bash', process.argv[2] ?? '/tmp/w/probe.sh'], { timeoutMs: 60000, env: { PIN: lab.pinDir ?? '' } });
console.log(r.stdout, r.stderr.slice(-3000)); console.log(lab.logText().slice(-5000));
await lab.dispose();
