/** What rules name that stands in bastion.toml: zones, lists, profiles. A rule that names one that is not there matches nothing. */
import type { Settings } from '../../ports.ts';
import type { RuleContent } from './rule-block.ts';
import { didYouMean, shown } from './text.ts';

interface Names {
  readonly what: string;
  readonly table: string;
  readonly known: ReadonlySet<string>;
  readonly named: (content: RuleContent) => string | undefined;
}

/** Knows what rules may name. */
export class References {
  private readonly names: readonly Names[];

  constructor({ interfaces, defaultZone, zones, lists, profiles }: Settings) {
    this.names = [
      {
        what: 'zone', table: '[[interface]]', known: new Set([...(interfaces ?? []).map(({ zone }) => zone), ...(defaultZone === undefined ? [] : [defaultZone]), ...(zones ?? []).map(({ name }) => name)]),
        named: ({ match }) => match.zone,
      },
      {
        what: 'profile', table: '[[profile]]', known: new Set((profiles ?? []).map(({ id }) => id)),
        named: ({ profile }) => (profile === '' ? undefined : profile),
      },
      { what: 'list', table: '[[list]]', known: new Set((lists ?? []).map(({ id }) => id)), named: ({ match }) => match.list },
    ];
  }

  /** Is everything that the rule names there? */
  has(content: RuleContent): boolean {
    return this.names.every(({ known, named }) => {
      const name = named(content);
      return name === undefined || known.has(name);
    });
  }

  /** The first thing that is not there, as a sentence; '' if there is none. */
  missing(content: RuleContent): string {
    for (const { what, table, known, named } of this.names) {
      const name = named(content);
      if (name === undefined || known.has(name)) continue;
      return `There is no ${what} ${shown(name)} in bastion.toml, so this rule matches nothing. `
        + `Add it with a ${table}, or mend the rule.${didYouMean(name, [...known].slice(0, 100))}`;
    }
    return '';
  }
}
