import { describe, expect, it } from 'vitest';
import { copyLog, storeLog } from '../../../src/app/log-changes.ts';
import type { StoreStatus } from '../../../src/coordination/ports.ts';
import type { Logger } from '../../../src/log.ts';

const status = (more: Partial<StoreStatus>): StoreStatus =>
  ({ connected: true, kind: 'nats', detail: 'd', incarnation: undefined, alarm: undefined, ...more }) as StoreStatus;

/** What was logged for these states of the store, one after the other. */
const logged = (states: Partial<StoreStatus>[]): string[] => {
  const lines: string[] = [];
  const at = (level: string) => (_: unknown, message: string) => void lines.push(`${level}: ${message}`);
  const log = storeLog({ info: at('info'), warn: at('warn'), error: at('error') } as unknown as Logger);
  for (const one of states) log(status(one));
  return lines;
};

describe('the log of the store', () => {
  it.each([
    ['says once that it is connected', [{}, {}], ['info: store connected']],
    [
      'does not warn of a store that is only being connected to',
      [{ connected: false }, {}],
      ['info: store not connected yet', 'info: store connected'],
    ],
    [
      'warns of a store that was there',
      [{}, { connected: false }, { connected: false }, {}],
      ['info: store connected', 'warn: store out of reach', 'info: store connected'],
    ],
    [
      'tells an alarm as an error, from the start as well',
      [{ connected: false, alarm: 'gone' }, {}],
      ['error: the store raises an alarm, the last known good is kept', 'info: store connected'],
    ],
  ])('%s', (_, states, lines) => expect(logged(states)).toEqual(lines));
});

it('the log of copies tells once that they are repeated, and once that they get through again', () => {
  const lines: [string, unknown][] = [];
  const at = (fields: unknown, message: string) => void lines.push([message, fields]);
  const log = copyLog({ info: at, warn: at } as unknown as Logger);
  log('p', []);
  log('p', ["target: 400 x: failed to parse 'a value'"]);
  log('p', ['target: 401 error: Unauthorized']);
  log('q', []);
  log('p', []);
  log('p', []);
  expect(lines).toEqual([
    ['copies do not get through and are repeated', { route: 'p', problems: ["target: 400 x: failed to parse '…'"] }],
    ['copies get through again', { route: 'p' }],
  ]);
});
