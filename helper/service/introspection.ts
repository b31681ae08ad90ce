/** What Introspect serves: the contract's own XML, and the way to it from the root of the tree. */

const DOCTYPE =
  '<!DOCTYPE node PUBLIC "-//freedesktop//DTD D-BUS Object Introspection 1.0//EN"\n'
  + ' "http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd">\n';

/** The XML without comments and declarations: documentation is for people who read the file. */
export function compactXml(xml: string): string {
  return DOCTYPE + xml
    .replaceAll(/<!--[\s\S]*?-->/gu, '')
    .replaceAll(/<\?[\s\S]*?\?>/gu, '')
    .replaceAll(/<!DOCTYPE[^>]*>/gu, '')
    .replaceAll(/<doc:doc>[\s\S]*?<\/doc:doc>/gu, '')
    .replaceAll(/\n\s*(?=\n)/gu, '')
    .trim();
}

/** XML of a path above the object, which has one child; null for a path that does not lead there. */
export function parentXml(path: string, objectPath: string): string | null {
  const above = path === '/' ? '/' : `${path}/`;
  if (!objectPath.startsWith(above) || path === objectPath) return null;
  const child = objectPath.slice(above.length).split('/')[0] ?? '';
  return `${DOCTYPE}<node><node name="${child}"/></node>`;
}
