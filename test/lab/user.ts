/** Who the lab runs programs as. */
import { tryTool } from './process.ts';

export interface LabUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /** Their own home; for a user without one, a folder of the lab takes its place. */
  readonly home: string;
}

function lookUp(key: string): LabUser | null {
  const fields = tryTool('getent', ['passwd', key])?.trim().split(':') ?? [];
  const [name, , uid, gid, , home] = fields;
  if (name === undefined || uid === undefined || gid === undefined || home === undefined) return null;
  return { name, uid: Number(uid), gid: Number(gid), home };
}

/** root of this user namespace. */
export const ROOT_USER: LabUser = { name: 'root', uid: 0, gid: 0, home: '/root' };

/** Who called sudo, else `nobody`; root where no other uid is mapped. */
export function ordinaryUser(singleUser: boolean): LabUser {
  if (singleUser) return ROOT_USER;
  const caller = process.env['SUDO_UID'] ?? '';
  const found = /^[1-9]\d*$/u.test(caller) ? lookUp(caller) : null;
  return found ?? lookUp('nobody') ?? { name: 'nobody', uid: 65534, gid: 65534, home: '/nonexistent' };
}

/** The words before a command that make it that user's. */
export function becomeUser(user: LabUser): string[] {
  if (user.uid === 0) return [];
  return ['setpriv', '--reuid', String(user.uid), '--regid', String(user.gid), '--init-groups', '--'];
}
