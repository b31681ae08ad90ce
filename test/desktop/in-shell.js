/**
 * Runs inside GNOME Shell, through org.gnome.Shell.Eval: finds what is on the screen and moves a virtual pointer and keyboard,
 * whose events take the way of real ones. Every function returns something that JSON can hold.
 */
'use strict';

(() => {
  const { Clutter, GLib, St } = imports.gi;
  const Main = imports.ui.main;
  const seat = Clutter.get_default_backend().get_default_seat();
  const pointer = seat.create_virtual_device(Clutter.InputDeviceType.POINTER_DEVICE);
  const keyboard = seat.create_virtual_device(Clutter.InputDeviceType.KEYBOARD_DEVICE);

  /** Everything below an actor that is on the screen. */
  function* walk(actor) {
    for (const child of actor.get_children()) {
      if (!child.mapped || !child.visible) continue;
      yield child;
      yield* walk(child);
    }
  }

  function place(actor) {
    const [x, y] = actor.get_transformed_position();
    const [width, height] = actor.get_transformed_size();
    return { x: Math.round(x), y: Math.round(y), width: Math.round(width), height: Math.round(height) };
  }

  function texts(actor) {
    return [...walk(actor)].flatMap((child) => (child instanceof St.Label && child.text ? [child.text] : []));
  }

  function tray() {
    const [, found = null] = Object.entries(Main.panel.statusArea).find(([id, item]) => id.startsWith('appindicator-') && item?.visible) ?? [];
    return found;
  }

  /** The actor that a test means by a word, null while it is not there. */
  function area(name) {
    switch (name) {
      case 'banner': return Main.messageTray._banner;
      case 'tray': return tray();
      case 'menu': return tray()?.menu.isOpen ? tray().menu.actor : null;
      case 'calendar': return Main.panel.statusArea.dateMenu.menu.isOpen ? Main.panel.statusArea.dateMenu.menu.actor : null;
      case 'panel': return Main.panel;
      case 'clock': return Main.panel.statusArea.dateMenu;
      case 'dialog': return Main.layoutManager.modalDialogGroup;
      case 'overview': return Main.overview.visible ? Main.layoutManager.overviewGroup : null;
      default: throw new Error(`no area ${name}`);
    }
  }

  function isPressable(actor) {
    return actor instanceof St.Button || (actor.has_style_class_name && actor.has_style_class_name('popup-menu-item'));
  }

  global.bastionRig = {
    /** { texts, place, ageMs since the first look, controls: [{ text, x, y, usable }] } of an area, null while it is not there. */
    look(name) {
      const actor = area(name);
      if (!actor || !actor.mapped) return null;
      const controls = [...walk(actor)].filter(isPressable).map((control) => {
        const { x, y, width, height } = place(control);
        // An open submenu's entries are inside its own item's neighbour, so the first label is the item's own.
        const text = (control.label && typeof control.label === 'string' ? control.label : texts(control)[0]) ?? control.accessible_name ?? '';
        return { text, x: x + width / 2, y: y + height / 2, usable: control.reactive, accessible: control.accessible_name ?? '' };
      });
      actor._firstSeen ??= GLib.get_monotonic_time();
      return { ageMs: (GLib.get_monotonic_time() - actor._firstSeen) / 1000, texts: texts(actor), place: place(actor), controls, accessible: actor.accessible_name ?? '' };
    },

    /** The tray icon's file, '' while there is none. */
    trayIcon() {
      const file = tray()?._icon?.gicon?.get_icon?.().get_file?.();
      return file ? file.get_basename() : '';
    },

    /** Switches the tray's host off or on. */
    setTrayHost(on) {
      const uuid = 'ubuntu-appindicators@ubuntu.com';
      return on ? Main.extensionManager.enableExtension(uuid) : Main.extensionManager.disableExtension(uuid);
    },

    /** Notifications that the shell holds, shown or listed. */
    notifications() {
      return Main.messageTray.getSources().flatMap((source) => source.notifications.map((one) => ({
        title: one.title, body: one.bannerBodyText, urgency: one.urgency, resident: one.resident, transient: one.isTransient,
        source: source.title,
      })));
    },

    windows() {
      const focused = global.display.get_focus_window();
      return global.get_window_actors().map((actor) => actor.meta_window).filter((window) => !window.is_skip_taskbar()).map((window) => {
        const { x, y, width, height } = window.get_frame_rect();
        return {
          title: window.get_title() ?? '', focused: window === focused, attention: window.demands_attention || window.urgent,
          above: window.is_above(), minimized: window.minimized, app: window.get_gtk_application_id() ?? window.get_wm_class() ?? '',
          x, y, width, height,
        };
      });
    },

    /** Who has the keyboard, and whether something of the shell has taken all input. */
    keyboard() {
      return { overview: Main.overview.visible, focus: String(global.stage.key_focus), modal: Main.modalCount, pointer: global.get_pointer().slice(0, 2) };
    },

    move(x, y) {
      pointer.notify_absolute_motion(GLib.get_monotonic_time(), x, y);
      return true;
    },

    // Times that lie ahead of the clock would make the shell take the next window's wish for the focus for an old one.
    button(pressed) {
      pointer.notify_button(GLib.get_monotonic_time(), Clutter.BUTTON_PRIMARY, pressed ? Clutter.ButtonState.PRESSED : Clutter.ButtonState.RELEASED);
      return true;
    },

    /** A key by its Clutter name, or a character. */
    key(name, pressed) {
      const value = Clutter[`KEY_${name}`] ?? Clutter.unicode_to_keysym(name.codePointAt(0));
      keyboard.notify_keyval(GLib.get_monotonic_time(), value, pressed ? Clutter.KeyState.PRESSED : Clutter.KeyState.RELEASED);
      return true;
    },

    resize(title, width, height) {
      const found = global.get_window_actors().map((actor) => actor.meta_window).find((window) => window.get_title() === title);
      if (!found) return false;
      const { x, y } = found.get_frame_rect();
      found.move_resize_frame(true, x, y, width, height);
      return true;
    },

    /** The menu's rows come over the bus a moment after the icon; until then a click opens nothing. */
    menuReady() {
      return (tray()?.menu.numMenuItems ?? 0) > 0;
    },

    /** Leaves the overview; true while the session shows the plain desktop. */
    settle() {
      const { overview } = Main;
      if (overview.visible || overview.visibleTarget) overview.hide();
      return !overview.visible && !overview.visibleTarget && !overview.animationInProgress;
    },

    /** What the shell has in a session that the display manager GDM started: a lock screen, and its object on the bus. */
    addLockScreen() {
      Main.screenShield ??= new imports.ui.screenShield.ScreenShield();
      return true;
    },

    /** Locks as Super+L does, or lets the person in again, who has no password to type here. */
    setLocked(on) {
      if (on) Main.screenShield.lock(false);
      else Main.screenShield.deactivate(false);
      return true;
    },

    closeBanners() {
      for (const source of Main.messageTray.getSources()) source.destroy();
      return true;
    },
  };
  return true;
})();
