/** Icons of programs, as their desktop files name them. */
import type { Image } from '../gtk.ts';

/** `icon`: a name of the theme, or an absolute path. `pixels`: its size. */
export function showIcon(image: Image, icon: string, pixels: number): void {
  if (icon.startsWith('/')) image.setFromFile(icon);
  else image.setFromIconName(icon);
  image.setPixelSize(pixels);
}
