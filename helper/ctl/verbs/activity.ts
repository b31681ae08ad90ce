/** explain: why a flow was decided as it was. */
import { EXIT } from '../../contract/names.ts';
import type { Context } from '../context.ts';
import type { ExitCode } from '../errors.ts';
import { details } from '../text/table.ts';
import type { Invocation, Verb } from '../tree.ts';
import { actionPaint } from './rules.ts';

async function explain(context: Context, { args }: Invocation): Promise<ExitCode> {
  const client = await context.privilegedClient();
  const why = await client.explain(args[0] ?? '');
  if (context.options.json) {
    context.json({
      flow: why.flow, text: why.text, action: why.action, reason: why.reason, rule_id: why.rule_id, next_rule_id: why.next_rule_id,
      program: why.program ?? '', lineage: why.lineage ?? '', evidence_text: why.evidence_text ?? '', next_text: why.next_text ?? '',
    });
    return EXIT.done;
  }
  context.say(why.text);
  context.io.out(`\n${details([
    { name: 'Flow', value: why.flow },
    { name: 'Action', value: why.action, paint: actionPaint(context, why.action) },
    { name: 'Reason', value: why.reason },
    { name: 'Rule', value: why.rule_id },
    { name: 'Next would be', value: why.next_rule_id },
    { name: 'Program', value: why.program ?? '' },
    { name: 'Started by', value: why.lineage ?? '' },
    { name: 'How it is known', value: why.evidence_text ?? '' },
    { name: 'Otherwise', value: why.next_text ?? '' },
  ])}`);
  return EXIT.done;
}

export const activityVerbs: readonly Verb[] = [
  {
    name: 'explain',
    about: 'Say why a connection was decided as it was',
    args: [{ name: 'flow', about: 'id of the flow, from history or monitor' }],
    examples: ['explain f7'],
    run: explain,
  },
];
