/** The random schedule's own rules: what of a bulk is told, and which names of faults are taken. */
import { describe, expect, it } from 'vitest';
import { isOdd } from '../../fault/random/explain.ts';
import { createFaults, type FaultsOptions } from '../../fault/random/faults.ts';
import { failureOf } from '../../fault/random/workload.ts';
import { seededRandom } from '../../sim/random.ts';

describe('an item of a bulk', () => {
  const whole = { from: 1, to: 2, agent: 'agent-0', what: 'bulk', answer: '200', status: 200 };
  const odd = (what: string, status: number, type = 'some_exception') =>
    failureOf(whole, what, { status, ...(status < 300 ? {} : { error: { type } }) }).filter(isOdd);

  it('that a fence refused is told by itself, though the bulk was answered 200', () => {
    expect(odd('index', 403, 'cluster_block_exception')).toEqual([
      { ...whole, what: 'index', status: 403, answer: '403 cluster_block_exception in a bulk' },
    ]);
  });

  it.each([
    ['index', 201],
    ['create', 409],
    ['update', 404],
    ['update', 409],
    ['delete', 404],
  ])('%s may be answered %i by what other clients do', (what, status) => {
    expect(odd(what, status)).toEqual([]);
  });
});

describe('a schedule', () => {
  const create = (names: Pick<FaultsOptions, 'only' | 'except'>) => {
    const nothing = {} as never;
    const options = { fleet: nothing, nats: nothing, relays: nothing, clusters: undefined, leader: () => undefined };
    return createFaults({ random: seededRandom(1), log: () => undefined, ...options, ...names });
  };

  it('takes names of faults', () => {
    expect(() => create({ only: ['nats killed', 'agent killed'], except: ['agent killed'] })).not.toThrow();
  });

  it.each([
    [{ only: ['nats kiled'] }, /no fault is named nats kiled: agent killed, /],
    [{ except: ['sourceanswers 400'] }, /no fault is named sourceanswers 400: /],
    [{ only: ['source killed'] }, /no fault is named source killed/],
    [{ only: ['nats killed'], except: ['nats killed'] }, /no fault is left to draw/],
  ])('that would draw nothing of %j says so', (names, told) => {
    expect(() => create(names)).toThrow(told);
  });
});
