/** What `bastionctl --version` says; a test compares it with package.json, which the bundle does not read. */
export const VERSION = '3.0.0';
