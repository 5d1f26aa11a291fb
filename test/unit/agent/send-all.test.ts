import { describe, expect, it } from 'vitest';
import type { ClusterControl } from '../../../src/agent/cluster.ts';
import type { StampedWrite } from '../../../src/agent/copy-bulk.ts';
import { sendAll, type SendAllOptions } from '../../../src/agent/send-all.ts';
import { hastyRuntime } from '../../support/manual-runtime.ts';

const write = (id: string): StampedWrite => ({
  op: 'index',
  alias: 'a',
  id,
  routing: undefined,
  stamp: 5n,
  source: Buffer.from('{}'),
});
const page = (count: number): StampedWrite[] => Array.from({ length: count }, (_, i) => write(`d${i}`));

type Answer = { status: number; error?: { type: string; reason: string } };
const inside: Answer = { status: 500, error: { type: 'null_pointer_exception', reason: '' } };
const taken: Answer = { status: 201 };
const cannotChange: Answer = {
  status: 400,
  error: { type: 'illegal_argument_exception', reason: 'mapper [a] cannot be changed from type [long] to [text]' },
};

/** `whole`: whether a request fails with all that is in it. */
const follower = (item: (id: string) => Answer, whole: (ids: string[]) => boolean = () => false) => {
  const sizes: number[] = [];
  const bulk: ClusterControl['bulk'] = async ({ body }) => {
    const lines = Buffer.from(body).toString().trimEnd().split('\n');
    const ids = lines.filter((_, i) => i % 2 === 0).map((line) => JSON.parse(line).index._id as string);
    sizes.push(ids.length);
    const answer = whole(ids) ? { error: inside.error } : { items: ids.map((id) => ({ index: item(id) })) };
    return { status: whole(ids) ? 500 : 200, headers: {}, body: Buffer.from(JSON.stringify(answer)) };
  };
  return { sizes, cluster: { bulk } as ClusterControl };
};
const send = (writes: StampedWrite[], cluster: ClusterControl, over: Partial<SendAllOptions> = {}) =>
  sendAll(writes, { cluster, runtime: hastyRuntime(), ...over });
const refused = ({ fates }: Awaited<ReturnType<typeof sendAll>>, writes: StampedWrite[]) =>
  writes.filter((_, i) => fates[i]?.kind === 'quarantine').map(({ id }) => id);

describe('a follower that fails inside', () => {
  it.each([
    [
      'with each whole request',
      follower(
        () => taken,
        () => true,
      ),
    ],
    ['with each document', follower(() => inside)],
  ])('%s has nothing quarantined, however long it lasts', async (_how, { cluster, sizes }) => {
    const writes = page(200);
    const result = await send(writes, cluster, { repeatForMs: 600_000 });
    expect(result.end).toBe('stuck');
    expect(refused(result, writes)).toEqual([]);
    // It is not asked for each document either.
    expect(sizes.length).toBeLessThan(5_000);
    expect(sizes.filter((size) => size === 1).length).toBeLessThan(sizes.length / 2);
  });

  it('with the requests that hold one document has that one quarantined, and takes the others', async () => {
    const writes = page(1_000);
    const { cluster } = follower(
      () => taken,
      (ids) => ids.includes('d700'),
    );
    const result = await send(writes, cluster);
    expect(result.end).toBe('done');
    expect(refused(result, writes)).toEqual(['d700']);
    expect(result.fates.filter((fate) => fate?.kind === 'applied')).toHaveLength(999);
  });

  it.each([
    ['fails with some documents while it takes others', inside, 40, 60],
    ['can never map some documents', cannotChange, 40, 60],
    ['can map none of the documents', cannotChange, 60, 60],
    ['fails with the only document', inside, 1, 1],
  ])('%s has just these quarantined', async (_what, answer, bad, all) => {
    const writes = page(all);
    const isBad = (id: string) => Number(id.slice(1)) < bad;
    const { cluster } = follower((id) => (isBad(id) ? answer : taken));
    const result = await send(writes, cluster);
    expect(result.end).toBe('done');
    expect(refused(result, writes)).toEqual(writes.map(({ id }) => id).filter(isBad));
  });

  it('with one document of a page that is sent again and again has it quarantined over the turns', async () => {
    const tries = new Map();
    const { cluster, sizes } = follower((id) => (id === 'd3' ? inside : { status: 409 }));
    let turns = 0;
    let result = await send(page(5), cluster, { tries, repeatForMs: 0 });
    for (; result.end === 'stuck' && turns < 50; turns++)
      result = await send(page(5), cluster, { tries, repeatForMs: 0 });
    expect(refused(result, page(5))).toEqual(['d3']);
    expect(sizes.length).toBe(10);
  });
});

describe('a follower that takes no index in a line', () => {
  it('is sent a request for each index, and each write keeps its own fate', async () => {
    const paths: string[] = [];
    const bulk: ClusterControl['bulk'] = async ({ path, body }) => {
      paths.push(path.split('?')[0] as string);
      const lines = Buffer.from(body).toString().trimEnd().split('\n');
      const reason = 'explicit index in bulk is not allowed';
      const isExplicit = lines.some((line) => line.includes('_index'));
      const items = lines.flatMap((line) => {
        const [op, meta] = Object.entries(JSON.parse(line) as Record<string, { _id?: string }>)[0] ?? [];
        if (meta?._id === undefined) return [];
        return [{ [op as string]: { status: meta._id === 'd1' ? 409 : 200 } }];
      });
      const answer = isExplicit ? { error: { type: 'illegal_argument_exception', reason } } : { items };
      return { status: isExplicit ? 400 : 200, headers: {}, body: Buffer.from(JSON.stringify(answer)) };
    };
    const writes = page(6).map(({ id, routing, stamp }, i): StampedWrite => ({
      op: 'delete',
      alias: i % 2 === 0 ? 'a' : 'b',
      id,
      routing,
      stamp,
    }));
    const { fates } = await send(writes, { bulk } as ClusterControl);
    expect(fates.map((fate) => fate?.kind)).toEqual(writes.map(({ id }) => (id === 'd1' ? 'superseded' : 'applied')));
    expect(paths).toEqual(['/_bulk', '/a/_bulk', '/b/_bulk']);
  });
});
