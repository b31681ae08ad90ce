/** Every counter of the helper in words that explain themselves, grouped; what is seldom needed stands apart. */
import type { Statistics } from '../../helper/contract/types.ts';
import { _ } from '../i18n.ts';
import { countText, shortDuration } from './durations.ts';

export const FIGURE_GROUPS = ['decisions', 'packets', 'names', 'upkeep'] as const;
export type FigureGroup = (typeof FIGURE_GROUPS)[number];

type Counter = keyof Statistics;

export interface Figure {
  readonly key: Counter;
  readonly title: string;
  /** What it means, one sentence. */
  readonly text: string;
  readonly value: string;
}

interface Declared {
  readonly group: FigureGroup;
  readonly title: () => string;
  readonly text: () => string;
  readonly kind?: 'duration';
}

/** The order is the order on the page; a key that the contract gains is a type error here until it has its words. */
const DECLARED: Readonly<Record<Counter, Declared>> = {
  allowed: { group: 'decisions', title: () => _('Allowed'), text: () => _('Packets and connections that were let through after they were looked at.') },
  denied: { group: 'decisions', title: () => _('Refused'), text: () => _('Stopped by a rule, by an answer, or because nobody answered.') },
  prompts: { group: 'decisions', title: () => _('Questions asked'), text: () => _('How often you, or somebody else at this computer, were asked to decide.') },
  prompts_expired: { group: 'decisions', title: () => _('Questions that nobody answered'), text: () => _('They were refused when their time ran out, and wait in the inbox.') },
  prompts_renewed: { group: 'decisions', title: () => _('Questions that waited longer'), text: () => _('Somebody was deciding, so the time started again.') },
  safeguard_begins: { group: 'decisions', title: () => _('Times that Safeguard Mode began'), text: () => _('There were too many new connections, and they were refused without a question.') },
  safeguard_refused: { group: 'decisions', title: () => _('Refused in Safeguard Mode'), text: () => _('Connections that nobody was asked about, because there were too many.') },
  rules: { group: 'decisions', title: () => _('Rules in force'), text: () => _('Rules that are switched on and belong to the profile in use.') },
  held: { group: 'decisions', title: () => _('Waiting now'), text: () => _('Packets that are held until somebody decides.') },
  uptime_ms: { group: 'decisions', title: () => _('Service running for'), text: () => _('All numbers count from its start.'), kind: 'duration' },
  connections: { group: 'packets', title: () => _('Decided one by one'), text: () => _('Connections whose rule was looked up; the kernel remembers the answer for the rest.') },
  kernel_decided: { group: 'packets', title: () => _('Decided by the kernel alone'), text: () => _('Packets that an earlier decision covers. They cost next to nothing.') },
  packets: { group: 'packets', title: () => _('Packets looked at'), text: () => _('By the kernel and by the service together.') },
  gate_dropped: { group: 'packets', title: () => _('Packets stopped at the program'), text: () => _('They were undecided, refused or of no known program, and never reached the network.') },
  unidentified: { group: 'packets', title: () => _('Packets of no known program'), text: () => _('They match no rule that names a program.') },
  default_verdicts: { group: 'packets', title: () => _('Packets not decided in time'), text: () => _('The service did not decide within three seconds. More than a few mean that it is overloaded.') },
  queue_length: { group: 'packets', title: () => _('Packets in the queue now'), text: () => _('They wait to be looked at.') },
  queue_dropped: { group: 'packets', title: () => _('Packets dropped, queue full'), text: () => _('More came at once than the queue holds. Programs send them again.') },
  queue_user_dropped: { group: 'packets', title: () => _('Packets dropped on their way to the service'), text: () => _('The kernel could not hand them over. Programs send them again.') },
  queue_overruns: { group: 'packets', title: () => _('How often the service fell behind'), text: () => _('The kernel had to wait for it to read.') },
  names: { group: 'names', title: () => _('Known names'), text: () => _('Addresses whose names are known, because a program looked them up.') },
  dns_ignored: { group: 'names', title: () => _('Ignored answers to name lookups'), text: () => _('They were broken, late, not asked for, or of a server that is not set up here.') },
  names_lost: { group: 'names', title: () => _('Names left out'), text: () => _('There was no room for them; rules that name a host may ask again.') },
  rules_mended: { group: 'upkeep', title: () => _('How often the firewall’s kernel rules were restored'), text: () => _('Another program had changed them in the kernel.') },
  memory_lost: { group: 'upkeep', title: () => _('Decisions forgotten'), text: () => _('There was no room to remember them; their connections are decided again.') },
  history_lost: { group: 'upkeep', title: () => _('Connections missing in the history'), text: () => _('They could not be stored, and are not shown in Activity.') },
  losses: { group: 'upkeep', title: () => _('Left out at other limits'), text: () => _('There was more at once than the service takes; “bastionctl status” tells each.') },
  over_budget: { group: 'upkeep', title: () => _('Reports over a limit'), text: () => _('One user or one program did more at once than is kept track of.') },
};

const KEYS = Object.keys(DECLARED) as readonly Counter[];

/** All that was left out, in one number. */
function lossesOf({ losses }: Statistics): number | undefined {
  return losses === undefined ? undefined : Object.values(losses).reduce((sum: number, count) => sum + count, 0);
}

/** The counters of one group. One that an older helper does not have is left out. */
export function figuresOf(group: FigureGroup, numbers: Statistics): readonly Figure[] {
  return KEYS.filter((key) => DECLARED[key].group === group).flatMap((key) => {
    const number = key === 'losses' ? lossesOf(numbers) : numbers[key];
    if (number === undefined) return [];
    const { title, text, kind } = DECLARED[key];
    return [{ key, title: title(), text: text(), value: kind === 'duration' ? shortDuration(number) : countText(number) }];
  });
}

/** The heading of a group. */
export function groupTitle(group: FigureGroup): string {
  const titles: Record<FigureGroup, string> = {
    decisions: _('Since the service started'), packets: _('Packets'), names: _('Names'), upkeep: _('Maintenance and losses'),
  };
  return titles[group];
}
