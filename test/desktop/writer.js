/** A window with one entry, for somebody who types while a prompt comes: prints the text after every change, and `active` when it has the
 * keyboard. */
'use strict';

imports.gi.versions.Gtk = '4.0';
const { Gtk } = imports.gi;

const application = new Gtk.Application({ application_id: 'org.example.Writer' });
application.connect('activate', () => {
  const window = new Gtk.ApplicationWindow({ application, title: 'Writer', default_width: 500, default_height: 200 });
  const entry = new Gtk.Entry({ valign: Gtk.Align.CENTER });
  entry.connect('changed', () => { print(entry.text); });
  window.connect('notify::is-active', () => { print(window.is_active ? 'active' : 'inactive'); });
  window.set_child(entry);
  window.present();
  entry.grab_focus();
});
application.run([]);
