import { describe, expect, it } from 'vitest';
import { plainWriters, plainWritersText } from '../../../src/agent/leader/plain-writers.ts';
import type { Membership } from '../../../src/coordination/membership.ts';
import type { MemberRoute, Phase } from '../../../src/coordination/records.ts';
import { heardFrom, heartbeatOf, memberLine } from '../../support/heartbeats.ts';

const at = (phase: Phase) => ({ slug: 'products', record: { phase, epoch: 3 } });
/** `gone` lost the store after this report; `here` runs. */
const lost = (line?: Partial<MemberRoute>): Membership => ({
  ...heardFrom({ here: { products: memberLine() } }),
  lost: new Map([
    ['gone', { lostAtMs: 0, boot: 'gone', heartbeat: heartbeatOf('gone', line && { products: memberLine(line) }) }],
  ]),
});
const nobodySeen = heardFrom({ here: { products: memberLine() } });
const listed = (member: string, boot = member) => [{ member, boot }];

describe('who may write past every alias', () => {
  it.each<[string, Membership, Phase, boolean]>([
    ['a member lost in off', lost({ phase: 'off', epoch: 0 }), 'observe', true],
    ['a member lost in off, also once copies run', lost({ phase: 'off', epoch: 0 }), 'dual', true],
    ['a member that never knew the route', lost(), 'observe', true],
    ['a member that never knew the route, also once copies run', lost(), 'dual', true],
    ['a listed one of which no leader has a report', nobodySeen, 'observe', true],
    ['a listed one that joined in dual', nobodySeen, 'dual', false],
    ['one lost in observe with nothing older under way', lost({ phase: 'observe', epoch: 3 }), 'observe', false],
    ['one that had requests of off under way', lost({ phase: 'observe', epoch: 3, drained: false }), 'observe', true],
    ['one of an earlier stay', lost({ phase: 'observe', epoch: 1 }), 'observe', true],
    ['one lost in dual', lost({ phase: 'dual', epoch: 3 }), 'dual', false],
  ])('%s', (_, view, phase, may) => {
    expect(plainWriters(view, listed('gone'), at(phase))).toEqual(may ? ['gone'] : []);
  });

  it('is nobody whose member runs again', () => {
    expect(plainWriters(nobodySeen, listed('here', 'before'), at('observe'))).toEqual([]);
  });

  it('is told with what to do about them', () => {
    expect(plainWritersText(['a', 'b'])).toContain('crossfade forget a, crossfade forget b');
  });
});
