/**
 * Indices and aliases of the source's cluster that are called like a target of the route and are not that target. Once the
 * target has the authority its name is the route's, so what the application has under it on the source would be out of its
 * reach. Told apart by the index's own id, so one cluster, under whatever addresses, has none; nor is the route's own alias
 * one, whose name means its indices on either side. What this user may not see is not judged.
 */
import type { Side } from '../coordination/records.ts';
import { coveredBy } from '../coordination/route-aliases.ts';
import type { RouteSpec } from '../coordination/route-spec.ts';
import type { ClusterControl } from './cluster.ts';

type Settings = Readonly<Record<string, { settings?: { index?: { uuid?: string } } }>>;
type Asking = Pick<ClusterControl, 'json'>;

/** Ids of the indices behind a name; undefined = not to be seen. */
const idsBehind = async (cluster: Asking, name: string): Promise<string[] | undefined> => {
  const path = `/${encodeURIComponent(name)}/_settings/index.uuid`;
  const { status, body } = await cluster.json('GET', path);
  if (status === 404) return [];
  if (status !== 200) return undefined;
  return Object.values(body as Settings).flatMap(({ settings }) => settings?.index?.uuid ?? []);
};

/** Ids of the indices on the source that an alias of the route of this name stands for. */
const idsOfAlias = async (source: Asking, spec: RouteSpec, name: string): Promise<readonly string[]> => {
  const aliases = spec.aliases.filter((alias) => alias.name === name);
  const covered = aliases.flatMap((alias) => coveredBy(spec, alias));
  return (await Promise.all(covered.map((index) => idsBehind(source, index)))).flatMap((ids) => ids ?? []);
};

/** @throws what the clusters throw when they do not answer */
export const namesakesOf = async (clusters: Readonly<Record<Side, Asking>>, spec: RouteSpec): Promise<string[]> => {
  const renamed = spec.indices.filter(({ source, target }) => source !== target);
  const found = await Promise.all(
    renamed.map(async ({ target }) => {
      const [own, there, ofAlias] = await Promise.all([
        idsBehind(clusters.source, target),
        idsBehind(clusters.target, target),
        idsOfAlias(clusters.source, spec, target),
      ]);
      if (own === undefined || there === undefined) return [];
      return own.some((id) => !there.includes(id) && !ofAlias.includes(id)) ? [target] : [];
    }),
  );
  return found.flat();
};
