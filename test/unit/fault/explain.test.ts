import { expect, test } from 'vitest';
import { isOdd, readsAtAuthority, unexplained } from '../../fault/random/explain.ts';
import type { Told } from '../../fault/random/client.ts';
import type { Held } from '../../fault/random/faults.ts';

const minute = 60_000;
const told = (over: Partial<Told> = {}): Told => ({
  from: 10 * minute,
  to: 10 * minute + 100,
  agent: 'agent-0',
  what: 'index',
  answer: '503 UPSTREAM_UNREACHABLE',
  status: 503,
  ...over,
});
const fault = (on: string, from = 10 * minute - 5_000, to = 10 * minute + 5_000): Held => ({
  what: 'killed',
  on,
  from,
  to,
});
const seen = [9, 10, 11].map((at) => ({ at: at * minute, epoch: 1, authority: 'source' as const, readPercent: 0 }));
const healedAt = 20 * minute;

test.each([
  ['the authority that is sick explains a failure', told(), [fault('source')], seen, undefined],
  ['so does one that was healed a moment ago', told(), [fault('source', 0, 10 * minute - 9_000)], seen, undefined],
  ['so does an agent that was cut off', told(), [fault('agent-0')], seen, undefined],
  [
    'but not another agent than the one that answered',
    told(),
    [fault('agent-1'), fault('joiner-1')],
    seen,
    'only agents that it did not talk to were sick',
  ],
  [
    'nor that together with the follower',
    told(),
    [fault('agent-1'), fault('target')],
    seen,
    'only the target was sick, and the source the authority',
  ],
  ['one that ended a minute before does not', told(), [fault('source', 0, 9 * minute)], seen, 'nothing was wrong'],
  [
    'the follower alone explains nothing',
    told(),
    [fault('target')],
    seen,
    'only the target was sick, and the source the authority',
  ],
  [
    'near a switch either side explains',
    told(),
    [fault('target')],
    [...seen, { at: 10 * minute, epoch: 4, authority: 'target' as const, readPercent: 0 }],
    undefined,
  ],
  [
    'nothing explains a failure once everything is healed',
    told({ from: 21 * minute, to: 21 * minute }),
    [fault('source', 0, 21 * minute)],
    seen,
    'everything was healed',
  ],
  ['nothing explains a bug', told({ answer: '500 INTERNAL' }), [fault('source')], seen, 'a bug by its own word'],
])('%s', (_title, one, held, phases, expected) => {
  expect(unexplained(one, { held, seen: phases, healedAt })).toBe(expected);
});

test.each([
  ['index', [0, 301, 400, 403, 404, 409, 429, 500, 503]],
  ['create', [0, 301, 400, 403, 404, 429, 500, 503]],
  ['delete', [0, 301, 400, 403, 409, 429, 500, 503]],
  ['update', [0, 301, 400, 403, 429, 500, 503]],
  ['read search', [0, 301, 400, 403, 404, 409, 429, 500, 503]],
])('of answers to %s those are odd that no other client explains', (what, odd) => {
  const answers = [0, 200, 201, 301, 400, 403, 404, 409, 429, 500, 503];
  expect(answers.filter((status) => isOdd(told({ status, what })))).toEqual(odd);
});

test.each([
  ['nothing was wrong', [], seen, true],
  ['something was sick a moment before', [fault('target')], seen, false],
  ['nobody looked', [], [], false],
  ['a switch was near', [], [...seen, { ...seen[1]!, epoch: 4 }], false],
  ['the follower served a share', [], [...seen, { ...seen[1]!, readPercent: 30 }], false],
])('of a read when %s it is known whether the authority alone answered', (_title, held, phases, expected) => {
  expect(readsAtAuthority(told(), { held, seen: phases })).toBe(expected);
});
