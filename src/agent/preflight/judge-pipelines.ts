/**
 * What the ingest pipelines of a pair's indices do to a migration. Copies skip a default pipeline, and no request can skip a
 * final one: on a follower it would change every copy, and each side is the follower some day. A default pipeline moves with
 * the authority, so the target's has to be there before the first write comes. Pure.
 */
import { canonicalText, type Json } from '../../compare/json-value.ts';
import { type Side, sides } from '../../coordination/records.ts';
import type { RouteSpec } from '../../coordination/route-spec.ts';
import { settingsOfTarget } from './difference.ts';
import type { Finding, PairFacts, PreflightFacts } from './facts.ts';
import { about } from './finding.ts';

type Settings = Record<string, unknown> | undefined;

const pipelineIn = (settings: Settings, kind: 'default' | 'final'): string | undefined => {
  const value = settings?.[`index.${kind}_pipeline`] ?? '_none';
  return value === '_none' ? undefined : String(value);
};

/** The final pipeline of an index, which changes every copy that comes to it. */
export const finalPipeline = (settings: Settings): string | undefined => pipelineIn(settings, 'final');

const settingsOf = (spec: RouteSpec, pair: PairFacts, side: Side): Settings =>
  side === 'source' ? pair.source?.settings : settingsOfTarget(spec, pair);

/** Which pipelines have to be looked at on a side, each once. */
export const defaultPipelines = (spec: RouteSpec, pairs: readonly PairFacts[], side: Side): string[] => {
  const named = pairs.map((pair) => pipelineIn(settingsOf(spec, pair, side), 'default'));
  return [...new Set(named.filter((id) => id !== undefined))];
};

type Pair = { spec: RouteSpec; names: Record<Side, string>; pair: PairFacts };

const finalFindings = ({ spec, names, pair }: Pair): Finding[] =>
  sides.flatMap((side) => {
    const id = finalPipeline(settingsOf(spec, pair, side));
    const when = side === 'source' ? 'after the cutover it' : 'it';
    const todo = 'make it the default pipeline, or remove it, until the migration is over';
    return id === undefined
      ? []
      : [
          about('pipelines', names[side])(
            'refuse',
            `has the final pipeline ${id}: ${when} would change every copy`,
            todo,
          ),
        ];
  });

const readBack = (name: string, id: string): Finding =>
  about('pipelines', name)(
    'warn',
    `index.default_pipeline is ${id}: each write is read back before it is copied`,
    'expect one more request per write; a pipeline that reads _index finds the alias that members write through',
  );

const same = (left: unknown, right: unknown): boolean => canonicalText(left as Json) === canonicalText(right as Json);

type Ids = { source: string | undefined; target: string };

/** Of a pipeline that nobody could read, the missing right is told. */
const targetFindings = (name: string, { source, target }: Ids, known: PreflightFacts['pipelines']): Finding[] => {
  const say = about('pipelines', name);
  if (!known.target.has(target)) return [];
  const found = known.target.get(target);
  if (found === undefined)
    return [
      say(
        'refuse',
        `the default pipeline ${target} does not exist on the target: after the cutover each write would be refused`,
        `create it there, or set default_pipeline of ${name} to _none`,
      ),
    ];
  if (source === undefined)
    return [say('warn', `documents written after the cutover go through ${target}`, 'make sure that this is meant')];
  if (!known.source.has(source)) return [];
  return same(known.source.get(source), found)
    ? [say('ok', `${target} is the same on both sides`)]
    : [say('warn', `${source} on the source and ${target} here differ`, 'make sure that each difference is meant')];
};

const defaultFindings = ({ spec, names, pair }: Pair, known: PreflightFacts['pipelines']): Finding[] => {
  const source = pipelineIn(pair.source?.settings, 'default');
  const settings = settingsOfTarget(spec, pair);
  const target = pipelineIn(settings, 'default');
  const findings = source === undefined ? [] : [readBack(names.source, source)];
  if (target !== undefined) return [...findings, ...targetFindings(names.target, { source, target }, known)];
  if (source === undefined || settings === undefined) return findings;
  const reason = `has no default pipeline, the source has ${source}: documents written after the cutover are stored as sent`;
  const todo = 'give the target such a pipeline too, or make sure that this is meant';
  return [...findings, about('pipelines', names.target)('warn', reason, todo)];
};

export const pipelineFindings = ({ spec, pipelines }: PreflightFacts, ordinal: number, pair: PairFacts): Finding[] => {
  const names = spec.indices[ordinal] ?? { source: '', target: '' };
  return [...finalFindings({ spec, names, pair }), ...defaultFindings({ spec, names, pair }, pipelines)];
};
