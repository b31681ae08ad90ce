/** What the rig sees of GNOME Shell: areas, controls, windows, notifications. */
export interface Place { readonly x: number; readonly y: number; readonly width: number; readonly height: number }

export interface ShellControl {
  readonly text: string;
  readonly accessible: string;
  /** Its middle. */
  readonly x: number;
  readonly y: number;
  readonly usable: boolean;
}

export interface ShellArea {
  readonly texts: readonly string[];
  readonly place: Place;
  /** Since it was looked at first. */
  readonly ageMs: number;
  readonly accessible: string;
  readonly controls: readonly ShellControl[];
}

export interface ShellWindow extends Place {
  readonly title: string;
  readonly focused: boolean;
  readonly attention: boolean;
  readonly above: boolean;
  readonly minimized: boolean;
  readonly app: string;
}

export interface ShellNotification {
  readonly title: string;
  readonly body: string | null;
  /** 0 low, 1 normal, 2 high, 3 critical. Source: gnome-shell, messageTray.js. */
  readonly urgency: number;
  readonly resident: boolean;
  readonly transient: boolean;
  readonly source: string;
}

export type AreaName = 'banner' | 'tray' | 'menu' | 'calendar' | 'panel' | 'clock' | 'dialog' | 'overview';
