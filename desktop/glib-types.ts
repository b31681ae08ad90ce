/**
 * The part of GLib, Gio and libnotify that both processes of the desktop use, as node-gtk shows it: methods and properties in
 * camel case, enumerations as numbers, GError as Error.
 */

/** A GVariant. node-gtk returns text together with its length. */
export interface Variant {
  /** Throws what the toolkit throws where the value is not a string. */
  getString(): readonly [string, ...unknown[]];
  getTypeString(): string;
  /** Of a dictionary; null where the key is not there. */
  lookupValue(key: string, expectedType: null): Variant | null;
}
export type VariantType = object;

export interface BusConnectionHandle {
  setExitOnClose(exit: boolean): void;
}

export interface Action {
  on(signal: 'activate', handler: (parameter: Variant | null) => void): this;
}

/** Gio.Application. A handler never throws and is never async: either ends the process. */
export interface BaseApplication {
  on(signal: 'activate' | 'shutdown', handler: () => void): this;
  /** Takes the name on the session's bus, or finds who has it. */
  register(cancellable: null): boolean;
  /** Another process has the name. */
  getIsRemote(): boolean;
  getDbusConnection(): BusConnectionHandle | null;
  activate(): void;
  hold(): void;
  release(): void;
  run(argv: readonly string[]): number;
  quit(): void;
  addAction(action: Action): void;
}

export interface SettingsSchema {
  hasKey(name: string): boolean;
}
export interface SettingsSchemaSource {
  lookup(id: string, recursive: boolean): SettingsSchema | null;
}
export interface GSettings {
  on(signal: 'changed', handler: (key: string) => void): this;
  getString(key: string): string;
  setString(key: string, value: string): boolean;
  getBoolean(key: string): boolean;
  setBoolean(key: string, value: boolean): boolean;
  isWritable(key: string): boolean;
}

export interface Notification {
  setUrgency(urgency: number): void;
  setCategory(category: string): void;
  setTimeout(milliseconds: number): void;
  setAppName(name: string): void;
  setHint(key: string, value: Variant | null): void;
  clearActions(): void;
  addAction(id: string, label: string, callback: (notification: unknown, action: unknown) => void): void;
  /** Inside an action's callback: what lets a window come to the front for this click; null where the server gave none. */
  getActivationToken?(): string | null;
  update(summary: string, body: string | null, icon: string | null): boolean;
  show(): boolean;
  close(): boolean;
  on(signal: 'closed', handler: () => void): unknown;
}

export interface GioNamespace {
  readonly Application: {
    new (properties?: Readonly<Record<string, unknown>>): BaseApplication;
    prototype: BaseApplication;
  };
  readonly ApplicationFlags: { readonly NON_UNIQUE: number };
  readonly SimpleAction: new (properties: Readonly<Record<string, unknown>>) => Action;
  readonly SettingsSchemaSource: {
    getDefault(): SettingsSchemaSource | null;
    /** Throws where there is no compiled schema. */
    newFromDirectory(path: string, parent: SettingsSchemaSource | null, trusted: boolean): SettingsSchemaSource;
  };
  readonly Settings: { newFull(schema: SettingsSchema, backend: null, path: string | null): GSettings };
}
export interface NotifyNamespace {
  readonly Urgency: { readonly LOW: number; readonly NORMAL: number; readonly CRITICAL: number };
  readonly EXPIRES_NEVER: number;
  readonly EXPIRES_DEFAULT: number;
  readonly Notification: { new: (summary: string, body: string | null, icon: string | null) => Notification };
  init(name: string): boolean;
  uninit(): void;
}
export interface GLibNamespace {
  readonly VariantType: { new: (type: string) => VariantType };
  readonly Variant: { newString(text: string): Variant; newBoolean(value: boolean): Variant };
  setPrgname(name: string): void;
  setApplicationName(name: string): void;
  getApplicationName(): string | null;
}
