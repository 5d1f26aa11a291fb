import { Socket } from 'node:net';
import { expect, it } from 'vitest';
import { isReset } from '../../../../src/upstream/low-level-errors.ts';
import { Connection } from '../../../../src/upstream/wire/connection.ts';
import type { Opener } from '../../../../src/upstream/wire/open-socket.ts';

it('an end that TLS gave a reason for carries it, and stays an end', () => {
  const socket = new Socket();
  const opener = { open: () => socket, endsAreTrue: false, readyEvent: 'secureConnect' } as unknown as Opener;
  let told: unknown;
  const nothing = (): void => undefined;
  const owner = {
    onReady: nothing,
    onFree: nothing,
    onGone: nothing,
    onFailed: (_: Connection, error: unknown) => {
      told = error;
    },
  };
  new Connection(owner, opener, 60_000);
  const alert = new Error('tlsv1 alert certificate expired');
  socket.emit('error', alert);
  socket.emit('end');
  expect([isReset(told), (told as Error).cause]).toEqual([true, alert]);
});
