import { describe, expect, it } from 'vitest';
import { type MoveDeps, blockWrites, movePhase } from '../../../src/agent/leader/moves.ts';
import { createPhaseWriter } from '../../../src/agent/leader/phase-writer.ts';
import { heardSpec, isStored } from '../../../src/agent/leader/stored-spec.ts';
import { gatherFacts } from '../../../src/agent/preflight/gather.ts';
import { keys } from '../../../src/coordination/keys.ts';
import { initialPhase, type Phase } from '../../../src/coordination/records.ts';
import { heardFrom, memberLine } from '../../support/heartbeats.ts';
import { hastyRuntime } from '../../support/manual-runtime.ts';
import { MemoryBucket } from '../../support/memory-store.ts';
import { routeState } from '../../support/routes.ts';
import { CrossfadeError } from '../../../src/errors.ts';
import { controls, fakePair, type Pair, routeState as engineRoute } from '../agent/route.ts';

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

type Found = Partial<Pick<MoveDeps, 'plainWriters'>> & { pair?: Pair; phase?: Phase };

/** A route, in observe unless said otherwise, on two fake clusters, with one member that is in phase. */
const inPhase = async ({
  plainWriters = async () => [],
  pair = fakePair(engineRoute()),
  phase = 'observe',
}: Found = {}) => {
  const { spec, slug } = engineRoute();
  const clusters = controls(pair);
  const runtime = hastyRuntime();
  const bucket = new MemoryBucket();
  await bucket.put(keys.phase(slug), JSON.stringify({ ...initialPhase, phase, epoch: 1 }));
  await bucket.put(keys.config(slug), JSON.stringify(spec));
  const view = heardFrom({ a: { [slug]: memberLine({ phase, epoch: 1, phaseRevision: 1 }) } });
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
    isStored: () => isStored(bucket, spec),
    onReady: async () => undefined,
  };
  return { deps, apply: (value: unknown) => bucket.put(keys.config(slug), JSON.stringify(value)) };
};

describe('settings that somebody applies while a move is prepared', () => {
  const { spec } = engineRoute();
  const other = { ...spec, indices: [{ source: 'p3', target: 'p4' }] };
  const cases: [Phase, Phase, unknown, boolean][] = [
    ['off', 'observe', other, false],
    ['observe', 'dual', { ...spec, aliases: [{ name: 'p' }] }, false],
    ['off', 'observe', spec, true],
    ['observe', 'off', other, true],
  ];
  it.each(cases)('from %s to %s: no record follows from others, which no preflight has seen', async (...moved) => {
    const [phase, to, applied, isTaken] = moved;
    const { deps, apply } = await inPhase({ phase });
    const { members, preflight } = deps;
    const during = (): void => void apply(applied);
    const moving = movePhase(
      {
        ...deps,
        preflight: async () => {
          during();
          return preflight();
        },
        members: {
          ...members,
          view: () => {
            during();
            return members.view();
          },
        },
      },
      to,
      '',
    );
    const refused = { code: 'PHASE_REFUSED', message: expect.stringContaining('settings of the route were changed') };
    await (isTaken ? expect(moving).resolves.toBeDefined() : expect(moving).rejects.toMatchObject(refused));
    expect((await deps.writer.read()).record.phase).toBe(isTaken ? to : phase);
  });

  it('are waited for where the leader has not heard of them yet, and no longer than that may take', async () => {
    const config = new MemoryBucket();
    const runtime = hastyRuntime();
    await config.put(keys.config(spec.route), JSON.stringify(other));
    let asked = 0;
    expect(await heardSpec({ config, runtime }, () => (++asked < 4 ? spec : other))).toBe(other);
    expect(await heardSpec({ config, runtime }, () => spec)).toBe(spec);
  });
});

describe('a move to dual', () => {
  it('is refused while somebody may write past every alias, and says who and what to do', async () => {
    const { deps } = await inPhase({ plainWriters: async () => ['gone'] });
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
    const { deps } = await inPhase({ pair });
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
    const { deps } = await inPhase({ plainWriters: async () => (++looks < 3 ? ['joining'] : []) });
    await movePhase(deps, 'dual', '');
    expect((await deps.writer.read()).record.phase).toBe('dual');
  });
});
