import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { rulesFrom } from '../../../src/compare/rules.ts';
import { carryOut, type Compare, type ComparisonTask, createComparer } from '../../../src/proxy/shadow/comparer.ts';
import { redacted } from '../../../src/proxy/shadow/redaction-task.ts';
import type { Turns } from '../../../src/proxy/shadow/turns.ts';
import { createComparisonThread } from '../../../src/proxy/shadow/comparison-thread.ts';

const inTurn: Turns = async (work) => work();

const answerOf = (index: string, hits: number, changed?: number) => ({
  status: 200,
  body: Buffer.from(
    JSON.stringify({
      ...{ took: 1, timed_out: false, _shards: { total: 1, successful: 1, skipped: 0, failed: 0 } },
      hits: {
        ...{ total: { value: hits, relation: 'eq' }, max_score: 1 },
        hits: Array.from({ length: hits }, (_, i) => ({
          ...{ _index: index, _id: String(i), _score: 1 },
          _source: { name: i === changed ? 'other' : 'lamp', text: 'x'.repeat(200) },
        })),
      },
    }),
  ),
});
const taskOf = (hits: number, change: { index?: string; at?: number } = {}): ComparisonTask => ({
  api: 'search',
  request: { method: 'POST', path: '/r/_search', query: '', body: Buffer.from('{"query":{"match_all":{}}}') },
  authority: answerOf('source_v1', hits),
  other: answerOf(change.index ?? 'source_v1', hits, change.at),
  names: { authority: new Map(), other: new Map([['target_v2', 'source_v1']]) },
  rules: rulesFrom(undefined),
});

const apart = (): Compare & { asked: number } => {
  const compare = Object.assign(
    async (task: ComparisonTask) => {
      compare.asked++;
      return carryOut(task);
    },
    { asked: 0 },
  );
  return compare;
};

describe('a comparison', () => {
  it.each([
    ['of small answers', taskOf(10, { index: 'target_v2' }), 0],
    ['of large answers that are the same bytes', taskOf(200), 0],
    ['of large answers that differ in the name of the index', taskOf(200, { index: 'target_v2' }), 1],
    ['of large answers that differ', taskOf(200, { at: 3 }), 1],
  ])('%s is apart only where it takes long', async (_what, task, times) => {
    const compareApart = apart();
    expect(await createComparer({ inTurn, compareApart })(task)).toEqual(carryOut(task));
    expect(compareApart.asked).toBe(times);
  });

  it('stays between the events of clients where there is no thread', async () => {
    const task = taskOf(200, { at: 3 });
    expect(await createComparer({ inTurn })(task)).toEqual(carryOut(task));
  });
});

describe('a target index that is called like another index of the source', () => {
  /** Pairs x to y and y to z. */
  const names = {
    authority: new Map(),
    other: new Map([
      ['y', 'x'],
      ['z', 'y'],
    ]),
  };
  const both = (first: string, second: string) => {
    const [one, two] = [answerOf(first, 1), answerOf(second, 1)].map(({ body }) => JSON.parse(body.toString()));
    const hits = { ...one.hits, total: { value: 2, relation: 'eq' }, hits: [...one.hits.hits, ...two.hits.hits] };
    return { status: 200, body: Buffer.from(JSON.stringify({ ...one, hits })) };
  };

  it('is told from it', () => {
    const task = { ...taskOf(1), authority: both('x', 'y'), names };
    expect(carryOut({ ...task, other: both('y', 'z') }).severity).toBe('none');
    expect(carryOut({ ...task, other: both('y', 'y') }).severity).toBe('S4');
  });

  it('is told from it in the capabilities of fields', () => {
    const caps = (...indices: string[]) => ({
      status: 200,
      body: Buffer.from(JSON.stringify({ indices, fields: { n: { long: { type: 'long', indices: [indices[0]] } } } })),
    });
    const task = { ...taskOf(1), api: 'field_caps', authority: caps('x', 'y'), names } as const;
    expect(carryOut({ ...task, other: caps('y', 'z') }).severity).toBe('none');
    expect(carryOut({ ...task, other: caps('z', 'y') }).severity).toBe('S7');
  });
});

describe('the comparison thread', () => {
  // To start one takes about a second.
  const thread = createComparisonThread();
  afterAll(() => thread.close());

  it('says what is said here, and leaves the bodies to who gave them', async () => {
    const tasks = [taskOf(10), taskOf(200, { index: 'target_v2' }), taskOf(200, { at: 3 })];
    const before = tasks.map(({ authority, request }) => [authority.body.toString(), request.body?.toString()]);
    expect(await Promise.all(tasks.map((task) => thread.compare(task)))).toEqual(tasks.map(carryOut));
    expect(tasks.map(({ authority, request }) => [authority.body.toString(), request.body?.toString()])).toEqual(
      before,
    );
  });

  it('takes an answer that is part of what cannot be copied', async () => {
    const plain = taskOf(200, { at: 3 });
    const served = { ...plain.authority, requestFor: () => undefined };
    expect(await thread.compare({ ...plain, authority: served })).toEqual(carryOut(plain));
  });

  it.skipIf(process.platform !== 'linux')('gives way to the thread that serves clients, and to it alone', async () => {
    const threads = () => readdirSync('/proc/self/task');
    // Behind the name in brackets, which may hold blanks, the seventeenth field is how nice a thread is.
    const niceOf = (id: string) =>
      Number(readFileSync(`/proc/self/task/${id}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[16]);
    const own = niceOf(String(process.pid));
    await thread.compare(taskOf(10));
    expect(threads().filter((id) => niceOf(id) === own + 10)).toHaveLength(1);
    expect(niceOf(String(process.pid))).toBe(own);
  });

  it('redacts as is done here, and leaves the bodies to who gave them', async () => {
    const { request, authority: source, other: target } = taskOf(10, { at: 3 });
    const difference = { severity: 'S7', kind: 'value', path: ['hits', { key: '3' }], authority: '"lamp"' } as const;
    const settings = { api: 'search', secret: 'secret', clearFields: ['text'] } as const;
    const task = { ...settings, request, differences: [difference], answers: { source, target } };
    const found = await thread.redact(task);
    expect(found).toEqual(redacted(task));
    expect(JSON.stringify(found)).not.toContain('lamp');
    expect(found.answers.source.body).toContain('xxx');
    expect(source.body.length).toBeGreaterThan(0);
  });

  it('keeps the rules of the profile', async () => {
    const task = { ...taskOf(200, { at: 3 }), rules: rulesFrom({ ignore: ['_source.name'] }) };
    expect(await thread.compare(task)).toMatchObject({ severity: 'none', applied: [{ rule: 'ignore', times: 1 }] });
  });

  it('rejects what it had when it dies of a body that is too large for it, and is there again for the next', async () => {
    const small = createComparisonThread({ heapMb: 24 });
    await expect(small.compare(taskOf(25_000, { at: 3 }))).rejects.toMatchObject({ code: 'ERR_WORKER_OUT_OF_MEMORY' });
    const task = taskOf(200, { at: 3 });
    expect(await small.compare(task)).toEqual(carryOut(task));
    await small.close();
  });
});
