/** org.bastionfirewall.Helper1.Rules: what is allowed and denied. */
import { array, bool, string, text } from '../contract/codec.ts';
import { BastionError } from '../contract/errors.ts';
import { INTERFACES } from '../contract/names.ts';
import { IMPORT_ITEMS, importItem, importSummary, loadError, ruleEdit, ruleInfo } from '../contract/types.ts';
import type { RuleEdit, RuleInfo } from '../contract/types.ts';
import type { EngineApi } from '../engine-api.ts';
import { loadErrorRows } from './helper.ts';
import type { Control } from './helper.ts';
import type { Insights } from './insight.ts';
import { listMethods } from './lists.ts';
import { method, property } from './method.ts';
import type { Details, ServedInterface } from './method.ts';
import { pageOf } from './paging.ts';
import { forDialog } from './text.ts';
import { cursor, id, limit, longText, rows } from './wire-types.ts';

/** Longest body of Import: a text of 1 MiB, and the rest. */
const IMPORT_BODY_BYTES = 1024 * 1024 + 4096;

const groupName = text(64);

function detailsOf(verb: string, ruleId: string, edit?: RuleEdit): Details {
  const parts = [verb, edit?.action, edit?.path, edit?.address, ruleId].filter((part) => part !== undefined && part !== '');
  return { subject: forDialog(parts.join(' ')) };
}

function ruleById(engine: EngineApi, ruleId: string): RuleInfo {
  const found = engine.ruleInfos().find((rule) => rule.id === ruleId);
  if (found === undefined) throw new BastionError('NotFound', 'There is no rule with this id.');
  return found;
}

/** The interface on `engine` and `control`, with the methods of `insights`. */
export function rulesInterface(engine: EngineApi, control: Control, insights: Insights): ServedInterface {
  return {
    name: INTERFACES.rules,
    methods: {
      ...readMethods(engine, control), ...editMethods(engine), ...listMethods(engine, control.lists), ...importMethods(control),
      ...insights.methods,
    },
    properties: { LoadErrors: property(array(loadError), () => loadErrorRows(control.loadErrors())) },
    signals: { Changed: '' },
  };
}

function readMethods(engine: EngineApi, control: Control): ServedInterface['methods'] {
  return {
    List: method({
      input: [limit, cursor],
      names: ['limit', 'cursor'],
      output: [rows(ruleInfo), string],
      run(_call, count, from) {
        const page = pageOf(engine.ruleInfos(), (rule) => rule.id, count, from);
        return [page.rows, page.next];
      },
    }),
    Get: method({
      input: [id],
      names: ['id'],
      output: [ruleInfo],
      run: (_call, ruleId) => [ruleById(engine, ruleId)],
    }),
    Export: method({
      input: [string],
      names: ['format'],
      output: [longText],
      run: async (_call, format) => [await control.exportRules(format)],
    }),
  };
}

function editMethods(engine: EngineApi): ServedInterface['methods'] {
  return {
    Add: method({
      input: [ruleEdit],
      names: ['rule'],
      output: [string],
      details: (_caller, edit) => detailsOf('add', edit.id ?? '', edit),
      run: async (_call, edit) => [await engine.addRule(edit)],
    }),
    Update: method({
      input: [id, ruleEdit],
      names: ['id', 'change'],
      output: [],
      details: (_caller, ruleId, edit) => detailsOf('change', ruleId, edit),
      async run(_call, ruleId, edit) {
        await engine.updateRule(ruleId, edit);
        return [];
      },
    }),
    Remove: method({
      input: [id],
      names: ['id'],
      output: [],
      details: (_caller, ruleId) => detailsOf('remove', ruleId),
      async run(_call, ruleId) {
        await engine.removeRule(ruleId);
        return [];
      },
    }),
    SetGroup: method({
      input: [groupName, bool],
      names: ['group', 'enabled'],
      output: [],
      details: (_caller, group, enabled) => ({ subject: forDialog(`switch group ${enabled ? 'on' : 'off'}: ${group}`) }),
      async run(_call, group, enabled) {
        await engine.setGroup(group, enabled);
        return [];
      },
    }),
  };
}

function importMethods(control: Control): ServedInterface['methods'] {
  return {
    Import: method({
      input: [id, longText, bool],
      names: ['format', 'text', 'dry_run'],
      output: [array(importItem, IMPORT_ITEMS), importSummary],
      maxBodyBytes: IMPORT_BODY_BYTES,
      details: (_caller, format, text, dryRun) => ({
        subject: forDialog(`${dryRun ? 'look at' : 'import'} ${String(text.length)} characters ${format === '' ? '' : `of ${format}`}`.trim()),
      }),
      async run(_call, format, text, dryRun) {
        const { items, summary } = await control.importRules(format, text, dryRun);
        return [items, summary];
      },
    }),
  };
}
