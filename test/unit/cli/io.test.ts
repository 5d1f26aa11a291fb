import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { askOn } from '../../../src/cli/io.ts';

const asked = (typed: string): Promise<string> => {
  const input = new PassThrough();
  const answer = askOn({ input, output: new PassThrough(), terminal: true }, 'Go on? [y/N] ');
  input.write(typed);
  return answer;
};

describe('a question on a terminal', () => {
  it('is answered by a line', async () => {
    expect(await asked('yes\r')).toBe('yes');
  });

  it.each([
    ['Ctrl-C', '\u0003', 'interrupted'],
    ['Ctrl-C behind half an answer', 'y\u0003', 'interrupted'],
    ['Ctrl-D', '\u0004', 'unconfirmed'],
  ])('ends at %s with an exit of its own, and not as a bug', async (_, typed, exit) => {
    await expect(asked(typed)).rejects.toMatchObject({ name: 'CliError', exit });
  });
});
