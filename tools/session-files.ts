/**
 * The files by which a desktop session finds the product, laid out as a package installs them, with the translations of po/ in
 * those that carry their own: build/install/{usr,etc}/...
 */
import { cp, mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { mergeDesktopEntry, mergeXml } from './po/merge.ts';
import type { Catalogues } from './po/merge.ts';
import { DOMAIN, compileMo, readCatalogues } from './po/catalogues.ts';
import { elementsOf } from './po/texts.ts';
import { escapeXml } from './po/xml.ts';

export interface SessionFilesOptions {
  /** The repository. */
  readonly root: string;
  /** Folder below it that is made anew. */
  readonly folder: string;
  /** Where the product's pages are, without a slash at the end; '' for none: the description is then without pictures. */
  readonly homepage: string;
  /** The program's absolute path in the files that name it; default: as packages install it. */
  readonly program?: string;
}

const PROGRAM = '/usr/bin/bastion-firewall-desktop';
const NAME = 'org.bastionfirewall.Desktop';

/** Source below data/ -> place below the root of a system. */
export const PLACES: Readonly<Record<string, string>> = {
  [`desktop/${NAME}.desktop`]: `usr/share/applications/${NAME}.desktop`,
  [`desktop/${NAME}.autostart.desktop`]: `etc/xdg/autostart/${NAME}.desktop`,
  [`desktop/${NAME}.metainfo.xml`]: `usr/share/metainfo/${NAME}.metainfo.xml`,
  [`desktop/${NAME}.gschema.xml`]: `usr/share/glib-2.0/schemas/${NAME}.gschema.xml`,
  [`desktop/${NAME}.service`]: `usr/share/dbus-1/services/${NAME}.service`,
  [`desktop/${NAME}.search-provider.ini`]: `usr/share/gnome-shell/search-providers/${NAME}.search-provider.ini`,
  'desktop/bastion-firewall-desktop.service': 'usr/lib/systemd/user/bastion-firewall-desktop.service',
  'polkit/org.bastionfirewall.helper1.policy': 'usr/share/polkit-1/actions/org.bastionfirewall.helper1.policy',
};

/** Writes them; the folder is made aside and put in place at the end. */
export async function buildSessionFiles(options: SessionFilesOptions): Promise<void> {
  const { root } = options;
  const target = join(root, options.folder);
  const aside = `${target}.new`;
  const catalogues = readCatalogues(root);
  await rm(aside, { recursive: true, force: true });
  for (const [from, to] of Object.entries(PLACES)) {
    const content = await readFile(join(root, 'data', from), 'utf8');
    await put(join(aside, to), finish(options, from, content, catalogues));
  }
  await cp(join(root, 'data/icons/hicolor'), join(aside, 'usr/share/icons/hicolor'), { recursive: true });
  for (const page of (await readdir(join(root, 'data/man'))).filter((name) => /\.\d$/.test(name))) {
    await put(join(aside, `usr/share/man/man${page.slice(-1)}`, page), await readFile(join(root, 'data/man', page)));
  }
  for (const [language, catalogue] of catalogues) {
    await put(join(aside, 'usr/share/locale', language, 'LC_MESSAGES', `${DOMAIN}.mo`), compileMo(catalogue));
  }
  await rm(target, { recursive: true, force: true });
  await rename(aside, target);
}

async function put(path: string, content: string | Buffer): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}

function finish(options: SessionFilesOptions, file: string, content: string, catalogues: Catalogues): string {
  const placed = content.replaceAll(PROGRAM, options.program ?? PROGRAM);
  if (file.endsWith('.desktop')) return mergeDesktopEntry(placed, catalogues);
  const described = file.endsWith('.metainfo.xml') ? withHomepage(options, placed) : placed;
  // The schema's texts are looked up in the catalogue by those who show them.
  const elements = file.endsWith('.gschema.xml') ? null : elementsOf(file);
  return elements === null ? described : mergeXml(described, elements, catalogues);
}

/** Pictures have to be on the web: those whose file is there get the homepage's address, the others are left out. */
function withHomepage({ root, homepage }: SessionFilesOptions, metainfo: string): string {
  const kept = metainfo.replaceAll(/\n *<screenshot\b[\s\S]*?<\/screenshot>/g, (screenshot) => {
    const image = />(screenshots\/[^<]+)</.exec(screenshot)?.[1] ?? '';
    if (homepage === '' || !existsSync(join(root, 'data/desktop', image))) return '';
    return screenshot.replace(`>${image}<`, `>${escapeXml(`${homepage}/${image}`)}<`);
  });
  const pictured = kept.replace(/\n *<screenshots>\s*<\/screenshots>/, '');
  if (homepage === '') return pictured;
  return pictured.replace('\n  <launchable', `\n  <url type="homepage">${escapeXml(homepage)}</url>\n  <launchable`);
}
