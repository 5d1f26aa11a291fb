import { describe, expect, it } from 'vitest';
import { compared, type Given, lines } from './support.ts';

type Option = [text: string, id: string, content?: unknown];
const answer = (...options: Option[]) => ({
  suggest: {
    done: [
      {
        text: 'a',
        options: options.map(([text, _id, _source = { text }]) => ({
          ...{ text, _index: 'shop', _id, _score: 9 - text.length, _source },
        })),
      },
    ],
  },
});
const asking = (skip_duplicates: boolean): Given => ({
  body: { suggest: { done: { prefix: 'a', completion: { field: 'f', skip_duplicates } } } },
});
const [once, often]: Given[] = [asking(true), asking(false)];
const template: Given = { api: 'template_search' };

describe('completions that show each text once', () => {
  const one = answer(['ale', '1'], ['apple', '2']);
  const rows: [what: string, other: object, expected: string[]][] = [
    ['may show another document of it', answer(['ale', '9', { text: 'ale', n: 9 }], ['apple', '2']), []],
    [
      'must show what the same document holds',
      answer(['ale', '1'], ['apple', '2', { text: 'apple', n: 9 }]),
      ['S7 extra_field suggest.done.0.options.hits.hits.apple._source.n'],
    ],
    ['must show the same texts', answer(['apple', '2']), ['S4 missing_hit suggest.done.0.options.hits.hits.ale']],
  ];
  it.each(rows)('%s', (_, other, expected) => {
    for (const given of [once!, template]) expect(lines(compared(one, other, given))).toEqual(expected);
  });

  it('are told by their type, too', () => {
    const typed = (id: string) => ({
      suggest: { 'completion#done': answer(['ale', id], ['apple', '3']).suggest.done },
    });
    expect(compared(typed('1'), typed('2'), { ...once, query: 'typed_keys=true' }).severity).toBe('none');
  });

  it('are documents where duplicates were asked for, or are shown', () => {
    expect(compared(one, answer(['ale', '9'], ['apple', '2']), often!).severity).toBe('S4');
    const twice = answer(['ale', '1'], ['ale', '2'], ['apple', '3']);
    expect(compared(twice, answer(['ale', '1'], ['ale', '4'], ['apple', '3']), template).severity).toBe('S4');
  });
});
