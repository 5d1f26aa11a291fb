/**
 * Writes src/proxy/operations.generated.ts from local copies of the two public specifications:
 *
 *   node scripts/generate-operations.ts --opensearch DIR --opensearch-ref REF --elasticsearch DIR
 *
 * `--opensearch`: a checkout of opensearch-project/opensearch-api-specification; REF is the commit it stands at.
 * `--elasticsearch`: the folder of JSON files in the artifact org.elasticsearch:rest-api-spec:7.10.2 (rest-api-spec/api).
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parse } from 'yaml';
import { extraFacts } from './extra-operations.ts';
import {
  type Fact,
  factsOfNamespace,
  factsOfRestApi,
  factsOfSuperseded,
  mergeFacts,
  renderOperations,
} from './operation-table.ts';

const filesIn = (folder: string, extension: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith(extension))
    .sort()
    .map((name) => readFileSync(join(folder, name), 'utf8'));

const openSearchFacts = (checkout: string): Fact[] => {
  const known = filesIn(join(checkout, 'spec/namespaces'), '.yaml').flatMap((text) => factsOfNamespace(parse(text)));
  const superseded = parse(readFileSync(join(checkout, 'spec/_superseded_operations.yaml'), 'utf8'));
  return [...known, ...factsOfSuperseded(superseded, known)];
};

const elasticsearchFacts = (folder: string): Fact[] =>
  filesIn(folder, '.json').flatMap((text) => factsOfRestApi(JSON.parse(text)));

const { values } = parseArgs({
  options: {
    opensearch: { type: 'string' },
    'opensearch-ref': { type: 'string' },
    elasticsearch: { type: 'string' },
  },
});
const { opensearch, elasticsearch, 'opensearch-ref': ref } = values;
if (opensearch === undefined || elasticsearch === undefined || ref === undefined) {
  process.stderr.write('usage: generate-operations --opensearch DIR --opensearch-ref REF --elasticsearch DIR\n');
  process.exit(64);
}
const facts = mergeFacts([...openSearchFacts(opensearch), ...elasticsearchFacts(elasticsearch), ...extraFacts]);
const text = renderOperations(facts, [
  `opensearch-project/opensearch-api-specification ${ref} (Apache-2.0)`,
  'org.elasticsearch:rest-api-spec:7.10.2 (Apache-2.0)',
  'scripts/extra-operations.ts',
]);
writeFileSync(new URL('../src/proxy/operations.generated.ts', import.meta.url), text);
process.stdout.write(`${facts.length} operations\n`);
