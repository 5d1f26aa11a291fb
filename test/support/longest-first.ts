/**
 * The order of test files. On a fresh clone nobody remembers how long each takes, and a long one that begins last leaves
 * the other workers idle; so the long ones are listed here, longest first, and all others follow as vitest orders them.
 */
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const longest = [
  'deploy/alerts',
  'fault/killed-leader',
  'fault/old-sources',
  'fault/killed-clusters',
  'fault/faulty-clusters',
  'fault/noticed',
  'docs/pages',
  'cli/ramp',
  'security/secrets',
  'fault/killed-workers',
  'fault/lost-primary',
  'security/secured-cluster',
  'fault/switches',
  'fault/silent-agents',
  'cli/process',
  'dashboard/page',
  'compare/faults',
  'deploy/image',
  'fault/nats-killed',
];

const rank = ({ moduleId }: TestSpecification): number => {
  const at = longest.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`));
  return at < 0 ? longest.length : at;
};

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}
