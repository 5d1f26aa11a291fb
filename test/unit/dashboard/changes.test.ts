/** What the page says of a change, with an admin API whose answers go astray. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { askLeader, setKnob } from '../../../dashboard/changes.js';

const who = { by: 'ann', reason: '' };
type Answer = () => Response;
const json =
  (body: unknown, status = 200, headers: Record<string, string> = {}): Answer =>
  () =>
    new Response(JSON.stringify(body), { status, headers });
const refused = (status: number, notSent = false): Answer =>
  json({ error: { reason: 'because' } }, status, notSent ? { 'x-crossfade-not-sent': 'true' } : {});
const broken: Answer = () => {
  throw new TypeError('connection reset');
};

let post: Answer;
/** Of each look for the answer; the last one stays. */
let looks: Answer[];
const said = { textContent: '' };

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('document', { getElementById: () => said });
  vi.stubGlobal('sessionStorage', { getItem: () => null });
  vi.stubGlobal('fetch', async (_: string, init: { method?: string }) => {
    if (init.method === 'POST') return post();
    return (looks.length > 1 ? (looks.shift() as Answer) : (looks[0] as Answer))();
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('a percentage that was set', () => {
  it.each<[string, Answer, string]>([
    ['was refused', refused(400), 'pct.read is unchanged. because'],
    ['surely did not reach the store', refused(503, true), 'pct.read is unchanged. because'],
    ['has an outcome that nobody knows', refused(503), 'pct.read may have been set'],
    ['was sent over a connection that broke', broken, 'pct.read may have been set'],
  ])('and %s is told so', async (_, answer, text) => {
    post = answer;
    expect(await setKnob('products', { setting: 'pct.read', value: '5', ...who })).toBe(false);
    expect(said.textContent).toContain(text);
  });
});

describe('a request to the leader', () => {
  const advance = async (forMs = 2_000): Promise<string> => {
    const asking = askLeader('products', { action: 'advance', phase: 'dual', ...who });
    await vi.advanceTimersByTimeAsync(forMs);
    await asking;
    return said.textContent;
  };
  const done = { id: 'mine', state: 'done', message: 'cutover committed' };

  it.each<[string, Answer, string]>([
    ['was refused', refused(409), 'advance was not taken. because'],
    ['was sent over a connection that broke', broken, 'advance may have been asked'],
  ])('that %s is told so', async (_, answer, text) => {
    post = answer;
    expect(await advance()).toContain(text);
  });

  it('was taken, whatever becomes of a look for its answer', async () => {
    [post, looks] = [json({ id: 'mine' }, 202), [broken, refused(503), json({ result: done })]];
    expect(await advance()).toContain('advance done. cutover committed');
  });

  it('finds its answer also behind that to the next request', async () => {
    const next = { id: 'next', state: 'running', message: '', earlier: [done] };
    [post, looks] = [json({ id: 'mine' }, 202), [json({ result: next })]];
    expect(await advance()).toContain('advance done. cutover committed');
  });

  it.each<[string, Answer, string]>([
    ['is still under way', json({ result: null }), 'advance is still under way.'],
    ['cannot be read', broken, 'advance was asked, and how it ended cannot be read: connection reset'],
  ])('whose answer %s after a minute is told so', async (_, look, text) => {
    [post, looks] = [json({ id: 'mine' }, 202), [look]];
    const asking = advance(60_000);
    expect(await asking).toContain(text);
  });
});
