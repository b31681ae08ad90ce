/** What the overview says where nothing shows the shield. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { trayHint } from '../../desktop/model/tray-hint.ts';

test('tray hint: nothing while a host is there or not known, and what to install in GNOME', () => {
  assert.equal(trayHint(true, 'GNOME'), null);
  assert.equal(trayHint(null, 'GNOME'), null);
  assert.match(trayHint(false, 'ubuntu:GNOME')?.text ?? '', /gnome-shell-extension-appindicator/u);
  assert.doesNotMatch(trayHint(false, 'XFCE')?.text ?? '', /gnome-shell/u);
});
