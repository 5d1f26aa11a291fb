/** The definition of the resource against the schemas by which the operator reads and writes it. */
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { stages } from '../../../src/coordination/job-status.ts';
import { phases } from '../../../src/coordination/records.ts';
import {
  Asked,
  Condition,
  group,
  MigrationSpec,
  MigrationStatus,
  plural,
  readSpec,
  version,
} from '../../../src/operator/resource.ts';
import { read } from '../docs/files.ts';
import { definition, type Schema } from './definition.ts';

const [served] = definition.spec.versions;
const { spec, status } = served.schema.openAPIV3Schema.properties as Record<'spec' | 'status', Schema>;
const fields = (schema: Schema | undefined): string[] => Object.keys(schema?.properties ?? {});

describe('the definition of a Migration', () => {
  it('has the names that the operator asks for, and a status of its own', () => {
    expect([definition.spec.group, definition.spec.names.plural, served.name]).toEqual([group, plural, version]);
    expect(definition.metadata.name).toBe(`${plural}.${group}`);
    expect(served.subresources).toEqual({ status: {} });
  });

  it('knows exactly the fields of the spec and of the status, or the API server would prune them', () => {
    expect(fields(spec)).toEqual(Object.keys(MigrationSpec.shape));
    expect(fields(spec.properties?.['percent'])).toEqual(Object.keys(MigrationSpec.shape.percent.unwrap().shape));
    expect(fields(status)).toEqual(Object.keys(MigrationStatus.shape));
    expect(fields(status.properties?.['conditions']?.items)).toEqual(Object.keys(Condition.shape));
    expect(spec.properties?.['phase']?.enum).toEqual(phases);
    expect(stages.length).toBeGreaterThan(0);
  });

  it('keeps what was asked whole, so that it can always be read again', () => {
    const asked = status.properties?.['asked'];
    const one = asked?.properties?.['requests']?.items;
    expect([fields(asked), asked?.required]).toEqual([Object.keys(Asked.shape), Object.keys(Asked.shape)]);
    const keys = Object.keys(Asked.shape.requests.element.shape);
    expect([fields(one), one?.required]).toEqual([keys, keys]);
  });

  it('is shown on its page by an example that the operator accepts', () => {
    const [, example = ''] = /```yaml\n([\s\S]*?)```/.exec(read('docs/operator.md')) ?? [];
    const [document] = parseAllDocuments(example);
    const shown = document?.toJS() as { metadata: { name: string }; spec: unknown } | undefined;
    expect(readSpec(shown?.metadata.name ?? '', shown?.spec)).toMatchObject({ ok: true, wanted: { phase: 'dual' } });
  });
});

describe('a spec', () => {
  const route = { indices: [{ source: 'a', target: 'b' }] };
  it.each([
    ['without a route', { phase: 'dual' }, 'route'],
    ['with a field that nobody knows', { route, fase: 'dual' }, 'fase'],
    ['with a phase that is none', { route, phase: 'cutover' }, 'phase'],
    ['with a percentage over a hundred', { route, percent: { read: 101 } }, 'percent.read'],
    ['with more decimals than a percentage has', { route, percent: { read: 10, shadow: 33.3333 } }, 'percent.shadow'],
    ['with no documents per second', { route, rate: 0 }, 'rate: "0" is not documents per second'],
    ['with half a document per second', { route, rate: 2.5 }, 'rate'],
    ['with a name for its route', { route: { ...route, route: 'other' } }, 'route.route'],
    ['with a route that has no index', { route: { indices: [] } }, 'indices'],
  ])('%s is refused by the field', (_, given, field) => {
    const answer = readSpec('products', given);
    expect(answer.ok).toBe(false);
    expect(answer.ok ? '' : answer.message).toContain(field);
  });
});
