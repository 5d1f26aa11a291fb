/** The end of the demo: load stopped, copies drained, both sides and what was acknowledged compared document by document. */
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { type Load, type Product, untouched } from './load.ts';
import { claim, heading, table } from './report.ts';
import { ask, oldProducts, type World } from './world.ts';

type Documents = Map<string, unknown>;

/** The demo's index stays below one page. */
const readAll = async (url: string, index: string): Promise<Documents> => {
  await ask(`${url}/${index}/_refresh`, 'POST');
  const page = (await ask(`${url}/${index}/_search`, 'POST', { size: 10_000, track_total_hits: true })) as {
    hits: { total: { value: number }; hits: { _id: string; _source: unknown }[] };
  };
  if (page.hits.total.value !== page.hits.hits.length)
    throw new Error(`${index} holds more documents than the demo reads`);
  return new Map(page.hits.hits.map(({ _id, _source }) => [_id, _source]));
};

const differing = (a: Documents, b: Documents): number =>
  [...new Set([...a.keys(), ...b.keys()])].filter((id) => !isDeepStrictEqual(a.get(id), b.get(id))).length;

/** `undefined` = acknowledged as deleted. */
type Expected = ReadonlyMap<string, Product | undefined>;

const lost = (documents: Documents, expected: Expected): number =>
  [...expected].filter(([id, value]) => !isDeepStrictEqual(documents.get(id), value)).length;

/** The last copies may still be on their way. */
const settled = async (world: World): Promise<{ source: Documents; target: Documents }> => {
  for (let tries = 0; ; tries++) {
    const source = await readAll(world.services.sourceUrl, 'products_v1');
    const target = await readAll(world.services.targetUrl, 'products_v2');
    if (differing(source, target) === 0 || tries >= 20) return { source, target };
    await delay(500);
  }
};

/** What heartbeats say of copies can be older than the copies that have just arrived. */
const openCopies = async (world: World): Promise<number> => {
  for (let tries = 0; ; tries++) {
    const { pending, dropped, quarantined } = (await world.status()).copies;
    const open = pending + dropped + quarantined;
    if (open === 0 || tries >= 20) return open;
    await delay(500);
  }
};

export const compareSides = async (world: World, load: Load): Promise<void> => {
  heading('at rest: both sides, document by document');
  await load.stop();
  untouched(load);
  const { source, target } = await settled(world);
  const different = differing(source, target);
  table([
    ['', 'source products_v1', 'target products_v2'],
    ['documents', String(source.size), String(target.size)],
    ['old documents missing', String(lost(source, oldProducts)), String(lost(target, oldProducts))],
    ['acknowledged writes missing', String(lost(source, load.acknowledged)), String(lost(target, load.acknowledged))],
    ['documents that differ', String(different), String(different)],
  ]);
  claim('both sides hold the same documents', different === 0 && source.size === target.size);
  claim(
    'every document from before the migration is on both sides',
    lost(source, oldProducts) + lost(target, oldProducts) === 0,
    `${oldProducts.size} documents`,
  );
  claim(
    'every acknowledged write is on both sides',
    lost(source, load.acknowledged) + lost(target, load.acknowledged) === 0,
    `${load.acknowledged.size} documents written`,
  );
  claim('no copy is pending, dropped or refused', (await openCopies(world)) === 0);
};
