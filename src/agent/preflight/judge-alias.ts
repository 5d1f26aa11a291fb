/**
 * Does the route answer through each alias as the source's cluster would? An alias that stands on other indices, writes to
 * another one or carries another routing would lead elsewhere from `observe` on, with acknowledged writes in an index where
 * nobody looks for them. Aliases of the source's indices that the route does not list would go past it. Pure.
 */
import { isOwnAlias } from '../../coordination/keys.ts';
import { coveredBy, writeIndexOfAlias } from '../../coordination/route-aliases.ts';
import type { RouteAlias, RouteSpec } from '../../coordination/route-spec.ts';
import type { AliasBody } from '../control-answers.ts';
import type { AliasHolders, Finding, PreflightFacts } from './facts.ts';
import { about, type Say } from './finding.ts';

const list = (names: readonly string[]): string => names.join(', ');

type Listed = { say: Say; spec: RouteSpec; alias: RouteAlias; holders: AliasHolders };

const holderFindings = ({ say, spec, alias, holders }: Listed): Finding[] => {
  const covered = coveredBy(spec, alias);
  const standsOn = Object.keys(holders);
  const strangers = standsOn.filter((name) => !covered.includes(name));
  const lacking = covered.filter((name) => !standsOn.includes(name));
  if (standsOn.length === 0)
    return [say('refuse', 'is no alias on the source', `put it on ${list(covered)}, or take it out of the route`)];
  return [
    ...strangers.map((name) => {
      const writes = writtenByCluster(holders) === name ? ' and takes writes there' : '';
      const reason = `stands on ${name} too${writes}, where the route does not lead through it`;
      return say('refuse', reason, `take it off ${name}, or add ${name} to the route's and the alias's indices`);
    }),
    ...(lacking.length === 0
      ? []
      : [
          say(
            'refuse',
            `does not stand on ${list(lacking)}, where the route leads through it`,
            `put it there, or list under indices of the alias only those that it stands on`,
          ),
        ]),
  ];
};

/** An alias of one index writes to it unless that is said not to be its write index; one of several needs one said to be. */
const writtenByCluster = (holders: AliasHolders): string | undefined => {
  const all = Object.entries(holders);
  const only = all.length === 1 && all[0]?.[1].is_write_index === undefined ? all[0]?.[0] : undefined;
  return all.find(([, body]) => body.is_write_index === true)?.[0] ?? only;
};

const writeFindings = ({ say, spec, alias, holders }: Listed): Finding[] => {
  const onCluster = writtenByCluster(holders);
  const byRoute = writeIndexOfAlias(spec, alias);
  if (onCluster === byRoute) return [];
  if (onCluster === undefined) {
    const orNot = alias.writeIndex === undefined ? '' : ', or declare no writeIndex in the route';
    const reason = `takes no writes, and through the route they would go to ${byRoute}`;
    return [say('refuse', reason, `make ${byRoute} its write index${orNot}`)];
  }
  const otherwise =
    byRoute === undefined ? 'the route would refuse them' : `through the route they would go to ${byRoute}`;
  return [say('refuse', `takes writes on ${onCluster}, and ${otherwise}`, `set writeIndex: ${onCluster} on the alias`)];
};

const routingFindings = ({ say, alias }: Listed, index: string, body: AliasBody): Finding[] => {
  const { index_routing: writes, search_routing: searches } = body;
  if (writes !== searches)
    return [
      say(
        'refuse',
        `carries on ${index} the routing ${writes ?? 'none'} for writes and ${searches ?? 'none'} for searches`,
        'a route knows one for both: give the alias the same index_routing and search_routing, or neither',
      ),
    ];
  if (writes === alias.routing) return [];
  const reason = `carries on ${index} the routing ${writes ?? 'none'} and the route says ${alias.routing ?? 'none'}`;
  return [say('refuse', reason, 'set routing on the alias in the route to what it carries')];
};

const bodyFindings = (listed: Listed): Finding[] =>
  Object.entries(listed.holders).flatMap(([index, body]) => [
    ...(body.filter === undefined
      ? []
      : [listed.say('refuse', 'has a filter', 'reads through it cannot be moved faithfully: use a plain alias')]),
    ...routingFindings(listed, index, body),
  ]);

const listedFindings = (spec: RouteSpec, alias: RouteAlias, holders: AliasHolders): Finding[] => {
  const listed: Listed = { say: about('alias', alias.name), spec, alias, holders };
  const elsewhere = holderFindings(listed);
  const findings = elsewhere.length > 0 ? elsewhere : [...writeFindings(listed), ...bodyFindings(listed)];
  return findings.length > 0 ? findings : [listed.say('ok', 'listed')];
};

/** Why the cluster's alias, which stands somewhere, and the route's do not mean the same; empty when they do. */
export const aliasDifferences = (spec: RouteSpec, alias: RouteAlias, holders: AliasHolders): string[] =>
  listedFindings(spec, alias, holders).flatMap(({ level, reason }) => (level === 'refuse' ? [reason] : []));

const unlistedFindings = ({ spec, pairs }: PreflightFacts): Finding[] => {
  const listed = new Set(spec.aliases.map(({ name }) => name));
  return pairs.flatMap(({ source }, ordinal) =>
    Object.keys(source?.aliases ?? {})
      .filter((alias) => !isOwnAlias(alias) && !listed.has(alias))
      .map((alias) =>
        about('alias', alias)(
          'refuse',
          `points at ${spec.indices[ordinal]?.source} and is not listed`,
          'requests through it would go past the route: add it under aliases',
        ),
      ),
  );
};

export const aliasFindings = (facts: PreflightFacts): Finding[] => {
  const { spec, aliases } = facts;
  const listed = aliases === undefined ? [] : spec.aliases;
  return [
    ...listed.flatMap((alias) => listedFindings(spec, alias, aliases?.get(alias.name) ?? {})),
    ...unlistedFindings(facts),
  ];
};
