/**
 * Records real answers for the golden tests of the comparison: the same catalog in one shard and in five shards with
 * deleted leftovers, one request of every kind, both sides' answers as they came. Run against two clusters of one
 * version, or one cluster named twice: `node scripts/record-answers.ts http://127.0.0.1:9200 http://127.0.0.1:9201`.
 * Names of kinds may follow: only these are recorded, all others stay as they are. With `--neighbours l2` it records answers of the
 * k-NN plugin instead, from clusters that have it; any other space than l2 is a target that was mapped wrongly.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { Answer } from '../src/compare/types.ts';
import { seeded } from '../test/fixtures/compare/catalog.ts';
import { neighbourKinds, neighbourLayout } from '../test/fixtures/compare/neighbours.ts';
import { recordedKinds, type ShopRequest } from '../test/fixtures/compare/queries.ts';
import { type RecordedAnswer, recorded, recordsFile } from '../test/fixtures/compare/records.ts';
import { ask, comparedRequest, drop, layOut } from '../test/fixtures/compare/shop.ts';

const { positionals, values } = parseArgs({ allowPositionals: true, options: { neighbours: { type: 'string' } } });
const [source, target, ...names] = positionals;
const { neighbours } = values;
const documents = neighbours === undefined ? 300 : 2000;
const index = 'crossfade-recorded';
/** Another name, so that one cluster can hold both; the tests rename it back. */
const otherIndex = `${index}-on-target`;

const versionOf = async (url: string): Promise<string> => {
  const body = (await (await fetch(url)).json()) as { version: { number: string } };
  return body.version.number;
};

const text = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8');

const side = ({ status, body }: Answer) => ({ status, body: text(body)! });

const kinds = (): ShopRequest[] =>
  neighbours === undefined ? recordedKinds(seeded(20), documents) : neighbourKinds(seeded(20));

const record = async (source: string, target: string): Promise<RecordedAnswer[]> => {
  const records: RecordedAnswer[] = [];
  for (const kind of kinds()) {
    if (names.length > 0 && !names.includes(kind.name)) continue;
    const { body, ...request } = comparedRequest(index, kind);
    const authority = await ask(source, { ...request, body });
    const other = await ask(target, comparedRequest(otherIndex, kind));
    const asked = { ...request, ...(body && { body: text(body)! }) };
    records.push({ name: kind.name, api: kind.api, request: asked, authority: side(authority), other: side(other) });
  }
  return records;
};

if (source === undefined || target === undefined)
  throw new Error('usage: record-answers.ts [--neighbours SPACE] SOURCE_URL TARGET_URL [KIND...]');
const number = await versionOf(source);
const version = neighbours === undefined ? number : `${number}-neighbours-${neighbours}`;
const how = (spaceType: string) => (neighbours === undefined ? {} : neighbourLayout(spaceType));
await Promise.all([drop(source, index), drop(target, otherIndex)]);
try {
  await layOut({ url: source, index, shards: 1, documents, ...how('l2') });
  await layOut({ url: target, index: otherIndex, shards: 5, documents, seed: 11, ...how(neighbours ?? 'l2') });
  const fresh = await record(source, target);
  const kept = names.length === 0 ? [] : recorded(version).filter(({ name }) => !names.includes(name));
  const records = [...kept, ...fresh];
  await writeFile(recordsFile(version), `[\n${records.map((one) => JSON.stringify(one)).join(',\n')}\n]\n`);
  process.stdout.write(`${fresh.length} answers of OpenSearch ${version}\n`);
} finally {
  await Promise.all([drop(source, index), drop(target, otherIndex)]);
}
