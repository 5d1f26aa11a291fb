/** Whatever the pace of the readers, each gets the bytes that were meant for it. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { writeMessage } from '../../../src/upstream/write-message.ts';
import { eventually } from '../../support/eventually.ts';
import { keeping } from '../../support/keeping.ts';

const { cleanups } = keeping();

/** A connection whose reader begins when it is told to. */
const paused = async () => {
  const server = createServer({ pauseOnConnect: true });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const writer = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [reader] = (await once(server, 'connection')) as [Socket];
  if (writer.connecting) await once(writer, 'connect');
  cleanups.push(async () => {
    for (const socket of [writer, reader]) socket.destroy();
    server.close();
  });
  let text = '';
  const read = (): void => {
    reader.setEncoding('latin1').on('data', (more: string) => {
      text += more;
    });
    reader.resume();
  };
  return { writer, read, text: () => text };
};

it('bytes that a slow reader has not taken are not written over by later messages', async () => {
  const [slow, quick] = [await paused(), await paused()];
  quick.read();
  const sent = { slow: '', quick: '' };
  for (let i = 0; i < 1500; i++) {
    const head = `head ${i} \xe9\r\n`;
    const body = Buffer.alloc(i % 3 === 0 ? 15_000 : 40, 97 + (i % 26));
    for (const [name, { writer }] of [
      ['slow', slow],
      ['quick', quick],
    ] as const) {
      writeMessage(writer, { head: `${name} ${head}`, body });
      sent[name] += `${name} ${head}${body.toString('latin1')}`;
    }
  }
  expect(slow.writer.writableLength).toBeGreaterThan(1_000_000);
  slow.read();
  for (const name of ['slow', 'quick'] as const) {
    const { text } = { slow, quick }[name];
    await eventually(() => text().length >= sent[name].length);
    expect(text() === sent[name]).toBe(true);
  }
});
