/** A new rule out of a recorded flow: as narrow as it can be and still hold after the next update. */
import type { Explanation, FlowInfo, RuleEdit } from '../../helper/contract/types.ts';
import { _ } from '../i18n.ts';

export type FlowDraft = { readonly kind: 'draft'; readonly draft: RuleEdit } | { readonly kind: 'none'; readonly why: string };

/** What a rule decided so already needs the other answer; anything else is to be allowed. */
function actionOf({ action, reason }: FlowInfo): 'allow' | 'deny' {
  return action === 'allow' && (reason === 'rule' || reason === 'remembered') ? 'deny' : 'allow';
}

/** The program by what stays the same over its updates; null where a rule that allows could not name it. */
function programPart(flow: FlowInfo, why: Explanation, action: 'allow' | 'deny'): RuleEdit | null {
  const { flatpak, snap, appimage, script, named_by: namedBy } = why;
  switch (namedBy) {
    case 'flatpak': return flatpak === undefined ? null : { flatpak };
    case 'snap': return snap === undefined ? null : { snap };
    case 'appimage': return appimage === undefined ? null : { appimage };
    // What belongs to no package has to be named besides: anything can be given an interpreter's name.
    case 'script': return script === undefined ? null : { script, ...(why.package === undefined ? { path: flow.path } : {}) };
    case 'path': return flow.path === '' ? null : { path: flow.path };
    default: return action === 'deny' && flow.path !== '' ? { path: flow.path } : null;
  }
}

function destinationPart(flow: FlowInfo, why: Explanation): RuleEdit {
  const place = why.by_name === undefined || why.by_name === '' ? { address: flow.address } : { domain: why.by_name };
  const isOutward = flow.direction !== 'in';
  const hasPort = (flow.protocol === 'tcp' || flow.protocol === 'udp') && flow.port > 0 && isOutward;
  return { ...place, protocol: flow.protocol, ...(hasPort ? { port: String(flow.port) } : {}) };
}

/** The rule to begin with; the person looks at it and saves it. */
export function flowDraft(flow: FlowInfo, why: Explanation): FlowDraft {
  const { container } = flow;
  if (flow.forwarded_from !== undefined && why.named_by === 'container' && container !== undefined) {
    return { kind: 'draft', draft: { action: actionOf(flow), container, ...destinationPart(flow, why) } };
  }
  if (flow.forwarded_from !== undefined) return { kind: 'none', why: _('The settings decide about connections that this computer forwards for others.') };
  const action = actionOf(flow);
  const program = programPart(flow, why, action);
  if (program === null) return { kind: 'none', why: _('No rule can name this program: it is not certain which one it was.') };
  return { kind: 'draft', draft: { action, ...program, ...destinationPart(flow, why) } };
}
