/** Lists and UpdateLists of org.bastionfirewall.Helper1.Rules. */
import { array, text } from '../contract/codec.ts';
import { listInfo } from '../contract/types.ts';
import type { ListInfo } from '../contract/types.ts';
import type { EngineApi } from '../engine-api.ts';
import type { ListState } from '../ports.ts';
import { method } from './method.ts';
import type { ServedInterface } from './method.ts';
import { clipped, forDialog } from './text.ts';

/** What main does for the service about lists. */
export interface ListControl {
  /** In the order of bastion.toml. */
  states(): readonly ListState[];
  /** Begins to fetch or read these, all for none. Throws BastionError NotFound. */
  update(ids: readonly string[]): void;
}

/** Lists that one bastion.toml can name. */
const LISTS = 32;
/** Rules that are named as users of one list. */
const RULES_NAMED = 100;

function rowOf(list: ListState, usedBy: readonly string[]): ListInfo {
  return {
    id: list.id, name: list.name, source: clipped(list.source), format: list.format,
    entries: list.domains + list.prefixes, domains: list.domains, prefixes: list.prefixes, exceptions: list.exceptions,
    ignored: list.ignored, updated_ms: list.updatedMs, next_ms: list.nextMs, error: clipped(list.error), updating: list.updating,
    used_by: usedBy.slice(0, RULES_NAMED),
  };
}

/** The methods on `engine`, which knows the rules, and `control`. */
export function listMethods(engine: EngineApi, control: ListControl): ServedInterface['methods'] {
  return {
    Lists: method({
      input: [],
      names: [],
      output: [array(listInfo, LISTS)],
      run() {
        const states = control.states();
        if (states.length === 0) return [[]];
        const naming = engine.ruleInfos().filter(({ list }) => list !== undefined && list !== '');
        return [states.map((state) => rowOf(state, naming.filter(({ list }) => list === state.id).map(({ id }) => id)))];
      },
    }),
    UpdateLists: method({
      input: [array(text(LISTS), LISTS)],
      names: ['ids'],
      output: [],
      details: (_caller, ids) => ({ subject: forDialog(ids.length === 0 ? 'update lists' : `update lists ${ids.join(' ')}`) }),
      run(_call, ids) {
        control.update(ids);
        return [];
      },
    }),
  };
}
