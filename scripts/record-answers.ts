/**
 * Records real answers for the golden tests of the comparison: the same catalog in one shard and in five shards with
 * deleted leftovers, one request of every kind, both sides' answers as they came. Run against two clusters of one
 * version: `node scripts/record-answers.ts http://127.0.0.1:9200 http://127.0.0.1:9201`.
 */
import { writeFile } from 'node:fs/promises';
import { seeded } from '../test/fixtures/compare/catalog.ts';
import { allKinds } from '../test/fixtures/compare/queries.ts';
import { type RecordedAnswer, recordsFile } from '../test/fixtures/compare/records.ts';
import { ask, comparedRequest, drop, layOut } from '../test/fixtures/compare/shop.ts';

const documents = 300;
const index = 'crossfade-recorded';

const versionOf = async (url: string): Promise<string> => {
  const body = (await (await fetch(url)).json()) as { version: { number: string } };
  return body.version.number;
};

const text = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8');

const record = async (source: string, target: string): Promise<RecordedAnswer[]> => {
  const records: RecordedAnswer[] = [];
  for (const kind of allKinds(seeded(20), documents)) {
    const { body, ...request } = comparedRequest(index, kind);
    const [authority, other] = await Promise.all([source, target].map((url) => ask(url, { ...request, body })));
    const side = (answer: typeof authority) => ({ status: answer!.status, body: text(answer!.body)! });
    records.push({
      name: kind.name,
      api: kind.api,
      request: { ...request, ...(body && { body: text(body)! }) },
      authority: side(authority),
      other: side(other),
    });
  }
  return records;
};

const [source, target] = process.argv.slice(2);
if (source === undefined || target === undefined) throw new Error('usage: record-answers.ts SOURCE_URL TARGET_URL');
const version = await versionOf(source);
await Promise.all([drop(source, index), drop(target, index)]);
try {
  await layOut({ url: source, index, shards: 1, documents });
  await layOut({ url: target, index, shards: 5, documents, seed: 11 });
  const records = await record(source, target);
  await writeFile(recordsFile(version), `[\n${records.map((one) => JSON.stringify(one)).join(',\n')}\n]\n`);
  process.stdout.write(`${records.length} answers of OpenSearch ${version}\n`);
} finally {
  await Promise.all([drop(source, index), drop(target, index)]);
}
