/** The plain manifests against the official schemas and the rules behind them; and proof that both can say no. */
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { manifestProblems } from '../../support/manifests/rules.ts';
import { kubernetesVersions, type Manifest, schemaProblems } from '../../support/manifests/schema.ts';
import { filesIn, read } from '../docs/files.ts';

/** Patches are no whole objects; they are looked at where they were applied. */
const partial = /deploy\/(prometheus|helm|kustomize)\//;
const files = filesIn('deploy', '.yaml').filter((file) => !partial.test(file));
const manifests = files.flatMap((file) =>
  parseAllDocuments(read(file)).map((document) => [file, document.toJS() as Manifest] as const),
);

describe('the plain manifests', () => {
  it.each(manifests)('%s is accepted by every version', (_, manifest) => {
    expect(manifestProblems(manifest)).toEqual([]);
  });

  it('are of kinds that the schemas know', () => {
    expect(manifests.length).toBeGreaterThanOrEqual(6);
    expect(kubernetesVersions.length).toBe(2);
  });
});

const sidecar = (): string => read('deploy/sidecar.yaml');
const changed = (from: string, to: string): Manifest => {
  const text = sidecar();
  expect(text).toContain(from);
  return parse(text.replace(from, to)) as Manifest;
};

describe('a manifest is refused', () => {
  it.each([
    [
      'with a field in the wrong place',
      '      initContainers:',
      '      sidecars: []\n      initContainers:',
      '(sidecars)',
    ],
    ['with a probe that is misspelt', 'livenessProbe', 'livelinessProbe', '(livelinessProbe)'],
    [
      'with a probe path outside of the request',
      'httpGet: { path: /livez, port: crossfade-admin }',
      'path: /livez',
      '(path)',
    ],
    ['with a value of another type', 'replicas: 3', 'replicas: three', 'must be integer'],
    ['with a number as the value of a variable', 'value: "true"', 'value: true', 'must be string'],
    [
      'with a port that nobody opened',
      'name: crossfade-admin, containerPort',
      'name: admin, containerPort',
      'a probe of crossfade asks port crossfade-admin',
    ],
    [
      'with a port name that is too long',
      'name: crossfade-admin, containerPort',
      'name: crossfade-admin-port, containerPort',
      'is no name for a port',
    ],
    [
      'with a mount that has no volume',
      '- { name: crossfade-state, emptyDir: {} }',
      '- { name: other, emptyDir: {} }',
      'mounts no volume crossfade-state',
    ],
    ['with a variable that is set twice', 'name: POD_IP', 'name: POD_NAME', 'POD_NAME is set twice'],
    [
      'with a selector that its pods do not meet',
      'matchLabels: { app.kubernetes.io/name: gateway }',
      'matchLabels: { app: gateway }',
      'the selector asks for app=gateway',
    ],
    ['with a quantity of a strange unit', 'memory: 512Mi', 'memory: 512MB', '512MB is no quantity'],
    ['of a kind in a group that it left', 'apiVersion: apps/v1', 'apiVersion: extensions/v1beta1', 'no schema for'],
  ])('%s', (_, from, to, expected) => {
    expect(manifestProblems(changed(from, to)).join('\n')).toContain(expected);
  });

  it('when only the newer version knows a field', () => {
    const manifest = changed('      initContainers:', '      hostnameOverride: gateway\n      initContainers:');
    const problems = schemaProblems(manifest);
    expect(problems).toEqual(['v1.29: /spec/template/spec must NOT have additional properties (hostnameOverride)']);
  });
});
