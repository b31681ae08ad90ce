/**
 * A time zone in which it is about noon now, for the session and for the test that looks at it: what happened an hour ago was
 * today, also in a run at midnight.
 */
const NOON = 12;
const ahead = NOON - new Date().getUTCHours();

/** Source: tzfile names of the IANA database, whose signs are those of POSIX: Etc/GMT-2 is two hours ahead. */
export const NOON_ZONE = ahead === 0 ? 'Etc/GMT' : `Etc/GMT${ahead > 0 ? '-' : '+'}${String(Math.abs(ahead))}`;

process.env['TZ'] = NOON_ZONE;
