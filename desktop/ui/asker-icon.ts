/** The icon of a program that asks. */
import type { Image } from '../gtk.ts';

/** `icon`: a name of the theme, an absolute path of a system's folder, or '' for a program that nobody knows. */
export function setAskerIcon(image: Image, icon: string, pixels: number): void {
  if (icon.startsWith('/')) image.setFromFile(icon);
  else image.setFromIconName(icon === '' ? 'bastion-firewall-ask-symbolic' : icon);
  image.setPixelSize(pixels);
}
