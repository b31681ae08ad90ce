/** Where preferences are kept: GSettings, with the installed schema or with the one beside the bundle. Used by both processes. */
import { assetPath } from '../assets.ts';
import { Gio } from '../glib.ts';
import type { GSettings, SettingsSchema } from '../glib.ts';
import { KEYS, Settings, inMemory, isSettingKey } from '../model/settings.ts';
import type { SettingsStore } from '../model/settings.ts';

export const SCHEMA_ID = 'org.bastionfirewall.Desktop';

/** The installed schema; else the one beside the bundle. An older one without our keys would end the process at a read. */
function findSchema(): SettingsSchema | null {
  const complete = (schema: SettingsSchema | null): SettingsSchema | null => (
    schema !== null && Object.keys(KEYS).every((key) => schema.hasKey(key)) ? schema : null
  );
  const installed = Gio.SettingsSchemaSource.getDefault();
  const found = complete(installed?.lookup(SCHEMA_ID, true) ?? null);
  if (found !== null) return found;
  try {
    return complete(Gio.SettingsSchemaSource.newFromDirectory(assetPath('schemas'), installed, false).lookup(SCHEMA_ID, false));
  } catch {
    return null;
  }
}

function inGSettings(settings: GSettings): SettingsStore {
  return {
    read: (key) => (typeof KEYS[key].default === 'boolean' ? settings.getBoolean(key) : settings.getString(key)),
    write: (key, value) => (typeof value === 'boolean' ? settings.setBoolean(key, value) : settings.setString(key, value)),
    writable: (key) => settings.isWritable(key),
    watch: (changed) => { settings.on('changed', (key) => { if (isSettingKey(key)) changed(key); }); },
  };
}

/** The person's settings. Without a schema anywhere they are the defaults and last as long as the process, which `warn` says. */
export function openSettings(warn: (line: string) => void): Settings {
  const schema = findSchema();
  if (schema === null) {
    warn(`the schema ${SCHEMA_ID} is not installed: preferences are not kept`);
    return new Settings(inMemory());
  }
  return new Settings(inGSettings(Gio.Settings.newFull(schema, null, null)));
}
