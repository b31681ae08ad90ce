/** Which polkit action a method costs. What is not in this table is denied. */
import { ACTIONS, INTERFACES } from '../contract/names.ts';
import type { Action } from '../contract/names.ts';

/** `public`: anybody may, because it tells and changes nothing of the firewall. */
export type Requirement = Action | 'public';

const { view, registerAgent, answer, editRules, setMode, disable, import: importRules } = ACTIONS;

const REQUIREMENTS: Readonly<Record<string, Readonly<Record<string, Requirement>>>> = {
  [INTERFACES.helper]: {
    Ping: view,
    SetMode: setMode,
    Pause: answer,
    Resume: answer,
    Safeguard: view,
    // What was stopped may go on.
    EndSafeguard: editRules,
    Profiles: view,
    // Other rules are in force then, and they may allow more.
    SetProfile: editRules,
    Reload: editRules,
    Off: disable,
    SelfTest: disable,
    SetLogLevel: setMode,
  },
  [INTERFACES.rules]: {
    List: view,
    Get: view,
    Export: view,
    Add: editRules,
    Update: editRules,
    Remove: editRules,
    SetGroup: editRules,
    Lists: view,
    UpdateLists: editRules,
    Import: importRules,
    Propose: view,
    Simulate: view,
    Review: view,
  },
  [INTERFACES.prompts]: {
    RegisterAgent: registerAgent,
    // Giving up one's own registration takes nothing from anybody.
    UnregisterAgent: 'public',
    Answer: answer,
    ListPending: answer,
    Hold: answer,
    Dismiss: answer,
  },
  [INTERFACES.activity]: {
    Query: view,
    Subscribe: view,
    Unsubscribe: 'public',
    Explain: view,
    Totals: view,
    Index: view,
    Group: view,
    HistoryState: view,
    TotalsOf: view,
    ClearHistory: editRules,
  },
  [INTERFACES.applications]: {
    List: view,
    Rehash: editRules,
    RehashAll: editRules,
  },
  [INTERFACES.network]: {
    ListInterfaces: view,
    ListZones: view,
    ListContainers: view,
    SetInbound: editRules,
    Current: view,
  },
  'org.freedesktop.DBus.Properties': {
    Get: view,
    GetAll: view,
    // Always refused: there is no property that can be set.
    Set: 'public',
  },
  'org.freedesktop.DBus.Introspectable': { Introspect: 'public' },
  'org.freedesktop.DBus.Peer': { Ping: 'public', GetMachineId: 'public' },
};

/** What a call costs at least; null for what may not be called at all. */
export function requirementOf(interfaceName: string, member: string): Requirement | null {
  const methods = Object.hasOwn(REQUIREMENTS, interfaceName) ? REQUIREMENTS[interfaceName] : undefined;
  if (methods === undefined || !Object.hasOwn(methods, member)) return null;
  return methods[member] ?? null;
}
