/**
 * What the operator relies on in an API server. The fake one of the unit tests is asked in every run, a real one where
 * there is one, and both must answer the same.
 */
import { readFileSync } from 'node:fs';
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Agent, request } from 'undici';
import { createKubeApi, type KubeApi } from '../../../src/operator/kube-api.ts';
import { type Migration, type MigrationStatus, plural } from '../../../src/operator/resource.ts';
import { kubeWorlds, type KubeWorld, namespace } from '../../support/kube-world.ts';
import { uniqueName } from '../../support/services.ts';
import { definition } from '../../unit/operator/definition.ts';

const route = {
  indices: [{ source: 'products_v1', target: 'products_v2' }],
  aliases: ['products'],
  createTarget: true,
};
const condition = {
  type: 'Accepted',
  status: 'True',
  reason: 'Accepted',
  message: '',
  observedGeneration: 1,
  lastTransitionTime: '2026-01-01T00:00:00.000Z',
} as const;
const status: MigrationStatus = {
  observedGeneration: 1,
  phase: 'dual',
  stage: 'Backfill',
  epoch: 1,
  reign: 1,
  asked: { generation: 1, requests: [{ what: 'phase dual', id: 'ask-1' }] },
  conditions: [condition],
};

describe.each(kubeWorlds)('$server', ({ skip, start }) => {
  let world: KubeWorld;
  let api: KubeApi;
  beforeAll(async () => {
    if (skip) return;
    world = await start();
    api = createKubeApi(world.options);
  });
  afterAll(async () => {
    await api?.close();
    await world?.close();
  });

  /** A new resource, as the operator reads it. */
  const created = async (finalizers: string[] = []): Promise<Migration> => {
    const name = uniqueName('kube');
    await world.apply(name, { route, phase: 'dual' }, finalizers);
    return read(name);
  };
  const read = async (name: string): Promise<Migration> => {
    const found = (await api.list()).find(({ metadata }) => metadata.name === name);
    if (found === undefined) throw new Error(`there is no ${name}`);
    return found;
  };
  /** A merge patch of the status, with the operator's own credentials and no reading of its answer. */
  const patch = async (name: string, body: unknown): Promise<number> => {
    const { url, tokenFile, caFile } = world.options;
    const { name: version } = definition.spec.versions[0];
    const path = `/apis/${definition.spec.group}/${version}/namespaces/${namespace}/${plural}/${name}/status`;
    const dispatcher = new Agent(caFile === undefined ? {} : { connect: { ca: readFileSync(caFile) } });
    const authorization = `Bearer ${readFileSync(tokenFile, 'utf8').trim()}`;
    const headers = { authorization, 'content-type': 'application/merge-patch+json' };
    const answer = await request(`${url}${path}`, { method: 'PATCH', dispatcher, headers, body: JSON.stringify(body) });
    await answer.body.dump();
    await dispatcher.close();
    return answer.statusCode;
  };

  test.skipIf(skip)('keeps every field of a status, and moves the version but not the generation', async () => {
    const before = await created();
    expect(before.metadata.generation).toBe(1);
    expect(await api.writeStatus(before, status)).toBe('written');
    const after = await read(before.metadata.name);
    expect(after.status).toEqual(status);
    expect(after.metadata).toMatchObject({ uid: before.metadata.uid, generation: 1 });
    expect(after.metadata.resourceVersion).not.toBe(before.metadata.resourceVersion);
  });

  test.skipIf(skip)('takes a patch that changes nothing for no change', async () => {
    const { metadata } = await created();
    await api.writeStatus(await read(metadata.name), status);
    const before = await read(metadata.name);
    expect(await api.writeStatus(before, status)).toBe('written');
    expect(await read(metadata.name)).toEqual(before);
  });

  test.skipIf(skip)('refuses a status for a version that is past, and for a resource that is gone', async () => {
    const before = await created();
    const { name } = before.metadata;
    await world.apply(name, { route, phase: 'observe' });
    expect((await read(name)).metadata.generation).toBe(2);
    expect(await api.writeStatus(before, status)).toBe('conflict');
    await world.remove(name);
    expect(await api.writeStatus(before, status)).toBe('conflict');
    expect((await api.list()).filter(({ metadata }) => metadata.name === name)).toEqual([]);
  });

  test.skipIf(skip)('forgets a field that a status leaves out', async () => {
    const { metadata } = await created();
    await api.writeStatus(await read(metadata.name), status);
    const { stage: _, ...rest } = status;
    await api.writeStatus(await read(metadata.name), rest);
    expect((await world.get(metadata.name)).status).toEqual(rest);
  });

  test.skipIf(skip)('prunes what the definition does not know, and lets no spec in beside a status', async () => {
    const { metadata } = await created();
    const body = {
      spec: { phase: 'final' },
      status: { ...status, mood: 'good', asked: { ...status.asked, by: 'me' } },
    };
    expect(await patch(metadata.name, body)).toBe(200);
    const after = await world.get(metadata.name);
    expect([after.status, after.spec['phase'], after.metadata.generation]).toEqual([status, 'dual', 1]);
  });

  test.skipIf(skip)('refuses a status that could not be read again', async () => {
    const { metadata } = await created();
    expect(await patch(metadata.name, { status: { asked: { generation: 1 } } })).toBe(422);
    expect(await patch(metadata.name, { status: { asked: { generation: 1, requests: [{ what: 'x' }] } } })).toBe(422);
    expect(await patch(metadata.name, { status: { conditions: [{ type: 'Accepted' }] } })).toBe(422);
    expect((await world.get(metadata.name)).status).toBeUndefined();
  });

  test.skipIf(skip)('moves the generation when it marks a resource that waits for a finalizer', async () => {
    const before = await created(['example.dev/kept']);
    await world.remove(before.metadata.name);
    const after = await read(before.metadata.name);
    expect(after.metadata.generation).toBe(2);
    expect(after.metadata.deletionTimestamp).toBeDefined();
    expect(before.metadata.deletionTimestamp).toBeUndefined();
  });

  test.skipIf(skip).each([
    ['no route', { phase: 'dual' }],
    ['a phase that is none', { route, phase: 'cutover' }],
    ['a percentage over a hundred', { route, percent: { read: 101 } }],
    ['a brake that is a word', { route, stop: 'on' }],
  ])('takes no spec with %s', async (_, spec) => {
    await expect(world.apply(uniqueName('kube'), spec)).rejects.toThrow(/spec/);
  });

  test.skipIf(skip)('takes no token but its own', async () => {
    const { tokenFile } = world.options;
    const good = readFileSync(tokenFile, 'utf8');
    writeFileSync(tokenFile, 'somebody');
    await expect(api.list()).rejects.toMatchObject({ message: 'The Kubernetes API answered 401: Unauthorized' });
    writeFileSync(tokenFile, good);
    expect(await api.list()).toBeInstanceOf(Array);
  });
});
