import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatPercent, parsePercent, parseRate, parseStop } from '../../../src/coordination/human-values.ts';

describe('a percentage', () => {
  it.each([
    ['25', 25],
    ['25\n', 25],
    ['25\r\n', 25],
    [' 25 %', 25],
    ['25%', 25],
    ['\uFEFF25', 25],
    ['0', 0],
    ['0.0', 0],
    ['100', 100],
    ['100.000', 100],
    ['0.125', 0.125],
    ['0.001', 0.001],
    ['99.999', 99.999],
  ])('reads %j as %d', (text, value) => {
    expect(parsePercent(text)).toEqual({ ok: true, value });
  });

  it.each([
    ['', 'nothing'],
    ['  \n', 'white space'],
    ['25,5', 'a decimal comma'],
    ['{"read":25}', 'JSON'],
    ['"25"', 'a JSON string'],
    ['NaN', 'NaN'],
    ['Infinity', 'infinity'],
    ['-1', 'a negative number'],
    ['-0', 'a negative zero'],
    ['+5', 'a sign'],
    ['101', 'more than all'],
    ['100.001', 'a little more than all'],
    ['0.1255', 'a fourth decimal'],
    ['1e1', 'an exponent'],
    ['0x10', 'hexadecimal'],
    ['005', 'a lost decimal point'],
    ['5.', 'a dangling point'],
    ['.5', 'a leading point'],
    ['2 5', 'two numbers'],
    ['25 % %', 'two signs'],
    ['٢٥', 'digits of another script'],
    ['25\u0000', 'a zero byte'],
    ['on', 'a word'],
  ])('refuses %j: %s', (text) => {
    expect(parsePercent(text)).toMatchObject({ ok: false, message: expect.stringContaining('percentage') });
  });

  it('survives being formatted and read again, for every thousandth', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100_000 }), (thousandths) => {
        expect(parsePercent(formatPercent(thousandths / 1000))).toEqual({ ok: true, value: thousandths / 1000 });
      }),
    );
  });

  it('is never anything but a number from 0 to 100, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'0123456789.% -e\n') })), (text) => {
        const parsed = parsePercent(text);
        if (parsed.ok) expect(parsed.value >= 0 && parsed.value <= 100).toBe(true);
      }),
    );
  });

  it('quotes only the beginning of a long text in its message', () => {
    const parsed = parsePercent('x'.repeat(10_000));
    expect(parsed.ok ? '' : parsed.message.length).toBeLessThan(200);
  });
});

describe('the stop switch', () => {
  it.each([
    ['on', true],
    ['ON\n', true],
    ['true', true],
    ['1', true],
    ['off', false],
    [' Off ', false],
    ['false', false],
    ['0', false],
  ])('reads %j as %s', (text, value) => {
    expect(parseStop(text)).toEqual({ ok: true, value });
  });

  it.each(['', 'yes', 'no', 'stop', '2', '00', 'onoff', '{"stop":true}'])('refuses %j', (text) => {
    expect(parseStop(text).ok).toBe(false);
  });
});

describe('the backfill rate', () => {
  it.each([
    ['5000', 5000],
    ['1\n', 1],
    ['pause', 'pause'],
    ['Pause ', 'pause'],
  ])('reads %j as %s', (text, value) => {
    expect(parseRate(text)).toEqual({ ok: true, value });
  });

  it.each(['', '0', '-5', '1.5', '1e3', '5000/s', '05', 'stop', '10000000000'])('refuses %j', (text) => {
    expect(parseRate(text).ok).toBe(false);
  });
});
