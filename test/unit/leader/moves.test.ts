import { describe, expect, it } from 'vitest';
import { type MoveDeps, blockWrites, movePhase } from '../../../src/agent/leader/moves.ts';
import { createPhaseWriter } from '../../../src/agent/leader/phase-writer.ts';
import { gatherFacts } from '../../../src/agent/preflight/gather.ts';
import { keys } from '../../../src/coordination/keys.ts';
import { initialPhase } from '../../../src/coordination/records.ts';
import { heardFrom, memberLine } from '../../support/heartbeats.ts';
import { hastyRuntime } from '../../support/manual-runtime.ts';
import { MemoryBucket } from '../../support/memory-store.ts';
import { routeState } from '../../support/routes.ts';
import { CrossfadeError } from '../../../src/errors.ts';
import { controls, fakePair, routeState as engineRoute } from '../agent/route.ts';

const source = (status: number): Pick<MoveDeps, 'clusters' | 'spec'> => {
  const answering = { json: async () => ({ status, body: {} }) } as unknown as MoveDeps['clusters']['source'];
  return { spec: routeState().spec, clusters: { source: answering, target: answering } };
};

it('a finalize says so when the source did not take its write block', async () => {
  await expect(blockWrites(source(200))).resolves.toBeUndefined();
  await expect(blockWrites(source(403))).rejects.toMatchObject({
    code: 'GATE_REFUSED',
    message: expect.stringMatching(/final, but products_v1 stays writable: .* 403/),
  });
});

it('a finalize says that the phase is final also when the source is gone', async () => {
  const gone = source(0);
  gone.clusters.source.json = () => Promise.reject(new CrossfadeError('UPSTREAM_UNREACHABLE'));
  await expect(blockWrites(gone)).rejects.toMatchObject({
    code: 'GATE_REFUSED',
    message: expect.stringMatching(/final, but products_v1 stays writable/),
  });
});

/** A route in observe on two fake clusters, with one member that is in phase. */
const inObserve = async (plainWriters: MoveDeps['plainWriters'], pair = fakePair(engineRoute())) => {
  const { spec, slug } = engineRoute();
  const clusters = controls(pair);
  const runtime = hastyRuntime();
  const bucket = new MemoryBucket();
  await bucket.put(keys.phase(slug), JSON.stringify({ ...initialPhase, phase: 'observe', epoch: 1 }));
  const view = heardFrom({ a: { [slug]: memberLine({ phase: 'observe', epoch: 1, phaseRevision: 1 }) } });
  const store = { kind: 'nats', connected: true, detail: '', members: 1 } as const;
  const deps: MoveDeps = {
    spec,
    clusters,
    writer: createPhaseWriter({ bucket, slug, by: 'a', now: runtime.now, clock: () => '' }),
    members: { view: () => view, onChange: () => () => undefined },
    runtime,
    preflight: () => gatherFacts({ clusters, spec, store, copiedBefore: false, byQuerySeen: 0, nowMs: 0 }),
    plainWriters,
    barrierTimeoutMs: 1_000,
    origins: async () => [],
    onReady: async () => undefined,
  };
  return deps;
};

describe('a move to dual', () => {
  it('is refused while somebody may write past every alias, and says who and what to do', async () => {
    const deps = await inObserve(async () => ['gone']);
    await expect(movePhase(deps, 'dual', '')).rejects.toMatchObject({
      code: 'GATE_REFUSED',
      message: expect.stringContaining('crossfade forget gone'),
    });
    expect((await deps.writer.read()).record.phase).toBe('observe');
  });

  it('is refused where documents of somebody else stand on the target, which keeps them and gets no alias', async () => {
    const pair = fakePair(engineRoute());
    const { storage } = pair.target;
    // Written, and not yet visible to a search.
    storage.write({ op: 'index', index: 'p2', id: 'theirs', source: '{}' });
    const deps = await inObserve(async () => [], pair);
    const aliases = structuredClone(storage.aliases);
    await expect(movePhase(deps, 'dual', '')).rejects.toMatchObject({
      code: 'PREFLIGHT_REFUSED',
      message: expect.stringContaining('holds 1 documents that this route did not copy there'),
    });
    expect([...storage.contents('p2').keys()]).toEqual(['theirs']);
    expect(storage.aliases).toEqual(aliases);
  });

  it('waits for whoever is just joining', async () => {
    let looks = 0;
    const deps = await inObserve(async () => (++looks < 3 ? ['joining'] : []));
    await movePhase(deps, 'dual', '');
    expect((await deps.writer.read()).record.phase).toBe('dual');
  });
});
