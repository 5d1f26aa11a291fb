import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { resolveDateMath } from '../../../src/proxy/date-math.ts';

const now = new Date('2026-03-31T23:30:45.678Z');

describe('date-math index names', () => {
  it.each([
    ['<logs-{now/d}>', 'logs-2026.03.31'],
    ['<logs-{now}>', 'logs-2026.03.31'],
    ['<logs-{now/M}>', 'logs-2026.03.01'],
    ['<logs-{now/y}>', 'logs-2026.01.01'],
    ['<logs-{now/w}>', 'logs-2026.03.30'],
    ['<logs-{now-1M/M{uuuu.MM}}>', 'logs-2026.02'],
    ['<logs-{now-1M}>', 'logs-2026.02.28'],
    ['<logs-{now+d}>', 'logs-2026.04.01'],
    ['<logs-{now+10d/d}>', 'logs-2026.04.10'],
    ['<logs-{now-1y{yyyy}}>', 'logs-2025'],
    ['<logs-{now-1w}>', 'logs-2026.03.24'],
    ['<logs-{now/d{uuuu.MM.dd|+12:00}}>', 'logs-2026.04.01'],
    ['<logs-{now/d{uuuu.MM.dd|-05:00}}>', 'logs-2026.03.31'],
    ['<logs-{now{HH-mm|America/Chicago}}>', 'logs-18-30'],
    ['<logs-{now/d{uuuu.MM.dd|Europe/Berlin}}>', 'logs-2026.04.01'],
    ['<logs-{now+1h{HH}}>', 'logs-00'],
    ['<logs-{now/h{HH-mm-ss}}>', 'logs-23-00-00'],
    ['<logs-{now{yy.M.d}}>', 'logs-26.3.31'],
    ["<logs-{now{uuuu'w'MM}}>", 'logs-2026w03'],
    ['<a-{now/d}-b-{now/M{MM}}>', 'a-2026.03.31-b-03'],
    ['<logs-\\{{now/d}>', 'logs-{2026.03.31'],
    ['<products>', 'products'],
    ['<products\\>', 'products'],
  ])('%s is %s', (name, expected) => {
    expect(resolveDateMath(name, now)).toEqual({ kind: 'name', text: expected });
  });

  it.each([
    ['<logs-{now{YYYY.MM}}>', 'logs-*'],
    ['<logs-{now{MMM}}>', 'logs-*'],
    ['<logs-{2026.01.01||/M}>', 'logs-*'],
    ['<logs-{now-1h{HH|America/Chicago}}>', 'logs-*'],
    ['<logs-{now/d{uuuu|Nowhere/Here}}>', 'logs-*'],
    ['<logs-{now/d{uuuu|CET}}-x>', 'logs-*-x'],
    ['<logs-{now[uuuu]}>', 'logs-*'],
    ['<logs-{}>', 'logs-*'],
  ])('%s cannot be told and becomes the pattern %s', (name, pattern) => {
    expect(resolveDateMath(name, now)).toEqual({ kind: 'undetermined', pattern });
  });

  it.each(['<>', '<logs-{now>', '<logs-}>', '<logs-{now{a{b}}}>', '<logs-now/d}>'])('%s is invalid', (name) => {
    expect(resolveDateMath(name, now)).toEqual({ kind: 'invalid' });
  });

  it('never throws, whatever stands between the brackets', () => {
    const text = fc.string({
      unit: fc.constantFrom('{', '}', '\\', '|', 'n', 'now', '/d', '-1M', 'uuuu', "'", '*', '.'),
    });
    fc.assert(
      fc.property(text, (inside) => {
        expect(['name', 'undetermined', 'invalid']).toContain(resolveDateMath(`<${inside}>`, now).kind);
      }),
    );
  });
});
