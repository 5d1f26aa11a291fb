/** The definition of the resource against the schemas by which the operator reads and writes it. */
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { stages } from '../../../src/coordination/job-status.ts';
import { phases } from '../../../src/coordination/records.ts';
import {
  Condition,
  group,
  MigrationSpec,
  MigrationStatus,
  plural,
  readSpec,
  version,
} from '../../../src/operator/resource.ts';
import { read } from '../docs/files.ts';

type Node = { properties: Record<string, Node & { enum?: string[] }>; items: Node; required?: string[] };
type Definition = {
  metadata: { name: string };
  spec: {
    group: string;
    names: { plural: string };
    versions: { name: string; schema: { openAPIV3Schema: Node }; subresources: object }[];
  };
};
const definition = parse(read('deploy/operator/crd.yaml')) as Definition;
const [served] = definition.spec.versions;
const { spec, status } = served!.schema.openAPIV3Schema.properties as Record<'spec' | 'status', Node>;

describe('the definition of a Migration', () => {
  it('has the names that the operator asks for, and a status of its own', () => {
    expect([definition.spec.group, definition.spec.names.plural, served?.name]).toEqual([group, plural, version]);
    expect(definition.metadata.name).toBe(`${plural}.${group}`);
    expect(served?.subresources).toEqual({ status: {} });
  });

  it('knows exactly the fields of the spec and of the status, or the API server would prune them', () => {
    expect(Object.keys(spec.properties)).toEqual(Object.keys(MigrationSpec.shape));
    expect(Object.keys(status.properties)).toEqual(Object.keys(MigrationStatus.shape));
    expect(Object.keys(status.properties['conditions']!.items.properties)).toEqual(Object.keys(Condition.shape));
    expect(spec.properties['phase']?.enum).toEqual(phases);
    expect(stages.length).toBeGreaterThan(0);
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
    ['with a name for its route', { route: { ...route, route: 'other' } }, 'route.route'],
    ['with a route that has no index', { route: { indices: [] } }, 'indices'],
  ])('%s is refused by the field', (_, given, field) => {
    const answer = readSpec('products', given);
    expect(answer.ok).toBe(false);
    expect(answer.ok ? '' : answer.message).toContain(field);
  });
});
