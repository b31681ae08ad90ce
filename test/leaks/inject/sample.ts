/** Which faults a run tries: all of them at full size, else the same fixed sample each time. */
import { FULL_SIZE } from '../../integration/support.ts';
import { FAULT_CODES } from './faults.ts';
import type { FaultCode } from './faults.ts';
import { ANY } from './plan.ts';
import type { Fault, Site } from './rig.ts';

/** Once at first, once at the last time that the call is made, and always. */
function forms(site: Site, code: FaultCode): readonly Fault[] {
  const fault = { site: site.name, code, calls: [] };
  const last: Fault[] = site.count > 1 ? [{ ...fault, form: 'once', skip: site.count - 1 }] : [];
  return [{ ...fault, form: 'once', skip: 0 }, ...last, { ...fault, form: 'always', skip: 0 }];
}

/** At full size each site with each form; at small size so many sites, evenly spread, with one form each. The errors take turns. */
export function faultsOf(sites: readonly Site[], small: number): readonly Fault[] {
  if (FULL_SIZE) return sites.flatMap((site, at) => forms(site, FAULT_CODES[at % FAULT_CODES.length] ?? 'EIO'));
  const step = Math.max(1, sites.length / small);
  return Array.from({ length: Math.min(small, sites.length) }, (_, at) => at).flatMap((at) => {
    const site = sites[Math.floor(at * step)];
    const code = FAULT_CODES[at % FAULT_CODES.length];
    if (site === undefined || code === undefined) return [];
    const all = forms(site, code);
    const one = all[at % all.length];
    return one === undefined ? [] : [one];
  });
}

/** Without mkdir: of a folder that is there the kernel says so before it looks for room. */
const WRITES = [
  'fs.renameSync', 'fs.rmSync', 'fs.writeFileSync', 'fs.promises.chmod', 'fs.promises.rename', 'fs.promises.writeFile', 'file.chmod',
  'file.sync', 'file.writeFile', 'file.write', 'sqlite.exec', 'sqlite.run',
];
const OPENS = [
  'fs.openSync', 'fs.readFileSync', 'fs.readdirSync', 'fs.watch', 'fs.promises.open', 'fs.promises.readFile', 'fs.promises.readdir', 'process.execFile', 'process.spawn',
  'net.connect', 'thread.start', 'sqlite.open',
];

/** What happens to a whole machine: a full or read-only disk, no descriptors, no memory. */
export const EVERYTHING: readonly Fault[] = [
  { site: ANY, code: 'ENOSPC', form: 'always', skip: 0, calls: WRITES },
  { site: ANY, code: 'EROFS', form: 'always', skip: 0, calls: WRITES },
  { site: ANY, code: 'EMFILE', form: 'always', skip: 0, calls: OPENS },
  { site: ANY, code: 'EIO', form: 'always', skip: 0, calls: [] },
  { site: ANY, code: 'ENOMEM', form: 'always', skip: 0, calls: [] },
];
