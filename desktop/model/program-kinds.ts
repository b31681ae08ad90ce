/** Kinds of programs that change what a prompt says of those that they start. By the base name of a verified path. */

function named(names: readonly string[]): RegExp {
  return new RegExp(`/(?:${names.join('|')})$`, 'u');
}

/** Windows that shells run in. */
export const TERMINALS = named([
  'xterm', 'uxterm', 'gnome-terminal-server', 'gnome-terminal', 'kgx', 'ptyxis', 'ptyxis-agent', 'konsole', 'yakuake', 'xfce4-terminal',
  'mate-terminal', 'lxterminal', 'qterminal', 'tilix', 'alacritty', 'kitty', 'foot', 'footclient', 'wezterm-gui', 'ghostty', 'urxvt', 'rxvt',
  'st', 'cool-retro-term', 'terminology', 'deepin-terminal', 'io\\.elementary\\.terminal', 'tmux', 'screen', 'code', 'codium',
]);

/** Programs that open what came from elsewhere, and have no reason to start others that speak. */
export const DOCUMENT_VIEWERS = named([
  'evince', 'papers', 'okular', 'atril', 'xreader', 'zathura', 'mupdf', 'mupdf-gl', 'mupdf-x11', 'qpdfview', 'xpdf', 'xpdf\\.real', 'acroread',
  'soffice\\.bin', 'oosplash', 'abiword', 'gnumeric', 'calligrawords', 'calligrasheets', 'calligrastage', 'gedit', 'gnome-text-editor', 'kate',
  'eog', 'loupe', 'gwenview', 'gthumb', 'shotwell-viewer', 'feh', 'gimp', 'gimp-[0-9.]+', 'inkscape', 'vlc', 'mpv', 'totem', 'celluloid',
  'thunderbird', 'thunderbird-bin', 'thunderbird-esr', 'evolution', 'geary', 'kmail', 'claws-mail', 'mutt', 'neomutt', 'file-roller', 'ark', 'engrampa', 'xarchiver',
]);

export const BROWSERS = named([
  'firefox', 'firefox-bin', 'firefox-esr', 'librewolf', 'chromium', 'chromium-browser', 'chrome', 'google-chrome', 'brave', 'brave-browser', 'msedge',
  'vivaldi', 'vivaldi-bin', 'opera', 'epiphany', 'epiphany-browser', 'falkon', 'konqueror', 'palemoon', 'waterfox', 'mullvad-browser', 'tor-browser',
]);
