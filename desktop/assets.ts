/** Where the files beside the bundle are: ui/*.ui, style.css, icons/, locale/. */
import { join } from 'node:path';

const FOLDER = import.meta.dirname;

export function assetPath(...parts: readonly string[]): string {
  return join(FOLDER, ...parts);
}
