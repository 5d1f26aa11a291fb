/**
 * Keeps the arrow `main -> shell -> pure -> types`: scans the imports of every source file. What is listed as pure decides
 * and does nothing else; a new pure file is added to the list, a file that has to leave it became a shell.
 */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';

type Import = { readonly target: string; readonly isType: boolean };

const root = join(import.meta.dirname, '../..');
const files = globSync('src/**/*.ts', { cwd: root }).sort();
const source = new Map(files.map((file) => [file, readFileSync(join(root, file), 'utf8')]));

const statement = /^(?:import|export)\s+(?:(type)\s+)?(?:([^'";]*?)\s+from\s+)?'([^']+)'/gm;
const dynamic = /\bimport\(\s*'([^']+)'\s*\)/g;

/** `import { type A, type B } from` brings in no value either. */
const bringsOnlyTypes = (clause: string): boolean => {
  const names = /^\{([^}]*)\}$/s.exec(clause.trim())?.[1];
  return names?.split(',').every((name) => name.trim() === '' || name.trim().startsWith('type ')) ?? false;
};

const importsOf = (file: string): Import[] => {
  const text = source.get(file) as string;
  const resolve = (target: string) => (target.startsWith('.') ? normalize(join(dirname(file), target)) : target);
  const fixed = [...text.matchAll(statement)].map(([, type, clause = '', target = '']) => ({
    target: resolve(target),
    isType: type !== undefined || bringsOnlyTypes(clause),
  }));
  const late = [...text.matchAll(dynamic)].map(([, target = '']) => ({ target: resolve(target), isType: false }));
  return [...fixed, ...late];
};

const graph = new Map(files.map((file) => [file, importsOf(file)]));
const valuesOf = (file: string): string[] => (graph.get(file) ?? []).flatMap((one) => (one.isType ? [] : [one.target]));

/** `src/proxy/plan.ts` is in the room `proxy`, `src/errors.ts` in `errors.ts`. */
const roomOf = (file: string): string => file.split('/')[1] ?? '';

const isUnder = (file: string, places: readonly string[]): boolean =>
  places.some((place) => file === place || file.startsWith(`${place}/`));

/** By folder: every file (`*`), or those named. */
const pureNames: Readonly<Record<string, string>> = {
  src: 'censor errors exit-codes config',
  'src/json': '*',
  'src/compare': '*',
  'src/proxy/planning': '*',
  'src/config': 'closest cross-checks environment issues load member redact route-file settings yaml-values',
  'src/fleet': 'chart-point fleet-status known-routes route-knobs traffic watching',
  'src/admin': 'access health sse',
  'src/cli': 'format histogram render-details render-sample render-status screen style table',
  'src/app': 'admin-address heartbeat-report sample-throttle',
  'src/coordination':
    'admission-gate ask-answers authority-from-aliases bucket durations effective evidence-subject human-values incarnation job-status keys membership nats-support parse-record phase-machine ports records route-aliases route-cell route-spec route-state stamp step-rules told-phases',
  'src/proxy':
    'admission answers-in-json bucket classify date-math framing gathered-body headers index-expression nodes-http operation-rules operations.generated parser-errors percent-encoding plan query quick-family rename request-target respond rest-trie route-table typeless types user-data',
  'src/proxy/fast-path': 'answer-head simple-request',
  'src/proxy/read':
    'answer-edits body-names body-words breaker choose-side clear-cursors cursor-ids cursor-token follower-tokens group-request judge-follower multi-answer multi-assign multi-body multi-compose multi-merge outgoing reigns rename-info request-pins show-terms shows-failures side-names sticky-key',
  'src/proxy/shadow': 'comparer ports tally',
  'src/proxy/write':
    'answer-facts answer-form asking bulk-answer bulk-groups bulk-lines bulk-request bulk-results by-query-request fence filter-path names ndjson post-image refusals reindex-request sent-as-written single-request tokens update-term',
  'src/agent':
    'chunks control-answers direction documents doubts exact-json gait held-buffers ledger live-watch lost-copies page-size slots throttle verify-judge write-counts',
  'src/agent/leader':
    'auto brake drift epochs events gate next-path out-of-reach plain-writers reign-of-stay resumed-ask verdict-status',
  'src/agent/preflight':
    'difference facts finding judge judge-alias judge-contents judge-index judge-pair judge-pipelines mapping-drift pipeline-kind',
  'src/operator': 'conditions plan resource',
  'src/upstream': 'header-pairs latin1 low-level-errors origins types',
  'src/upstream/wire': 'answer-head answer-parser chunk-framing remembered request-head syntax wire-error',
};
const pure = Object.entries(pureNames).flatMap(([folder, names]) =>
  names === '*' ? [folder] : names.split(' ').map((name) => `${folder}/${name}.ts`),
);

/** Libraries without effects. */
const pureLibraries = new Set(['zod', 'yaml']);

const pureFiles = files.filter((file) => isUnder(file, pure));

const withoutComments = (text: string): string => text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/\/\/.*$/gm, '');

/** Clocks, chance, environment and timers come in as arguments. */
const ambient =
  /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bperformance\.now\b|\bprocess\.|\bset(?:Timeout|Interval|Immediate)\(|\bfetch\(|\bconsole\.|\bglobalThis\b/;

/** Rooms that may know each other, values and types alike; files beside the rooms may be used by all; `app` wires all. */
const mayKnow: Readonly<Record<string, readonly string[]>> = {
  json: [],
  compare: ['json'],
  coordination: ['compare', 'json'],
  upstream: ['coordination', 'json'],
  proxy: ['compare', 'coordination', 'json', 'upstream'],
  agent: ['compare', 'coordination', 'json', 'upstream'],
  config: ['coordination'],
  fleet: ['config', 'coordination'],
  admin: ['config', 'coordination', 'fleet'],
  cli: ['compare', 'config', 'coordination', 'fleet'],
  operator: ['cli', 'config', 'coordination', 'fleet'],
};

const isRoom = (name: string): boolean => !name.endsWith('.ts');

describe('imports', () => {
  it('are found at all', () => {
    expect(files.length).toBeGreaterThan(100);
    expect(valuesOf('src/proxy/plan.ts')).toContain('src/proxy/classify.ts');
    expect(valuesOf('src/proxy/plan.ts')).toContain('src/proxy/planning/indices.ts');
    expect(graph.get('src/proxy/types.ts')?.every((one) => one.isType)).toBe(true);
  });

  it('make no cycle', () => {
    expect(findCycle()).toEqual([]);
  });

  it('keep proxy and agent apart, types included', () => {
    const crossing = files.flatMap((file) =>
      (graph.get(file) ?? [])
        .filter(({ target }) => target.startsWith('src/'))
        .map(({ target }) => ({ file, target }))
        .filter(({ target }) => [roomOf(file), roomOf(target)].sort().join() === 'agent,proxy'),
    );
    expect(crossing).toEqual([]);
  });

  it.each(Object.entries(mayKnow))('of %s lead to no room but %j', (room, known) => {
    const others = files
      .filter((file) => roomOf(file) === room)
      .flatMap((file) => (graph.get(file) ?? []).map(({ target }) => ({ file, target })))
      .filter(({ target }) => target.startsWith('src/') && isRoom(roomOf(target)))
      .filter(({ target }) => roomOf(target) !== room && !known.includes(roomOf(target)));
    expect(others).toEqual([]);
  });
});

describe('pure files', () => {
  it('are found under every name in the list', () => {
    expect(pure.filter((place) => !files.some((file) => isUnder(file, [place])))).toEqual([]);
  });

  it('import values only from pure files and libraries without effects', () => {
    const leaks = pureFiles.flatMap((file) =>
      valuesOf(file)
        .filter((target) => !(target.startsWith('src/') ? isUnder(target, pure) : pureLibraries.has(target)))
        .map((target) => `${file} -> ${target}`),
    );
    expect(leaks).toEqual([]);
  });

  it('take clock, chance and environment as arguments', () => {
    const ambientUses = pureFiles.flatMap((file) => {
      const found = ambient.exec(withoutComments(source.get(file) as string))?.[0];
      return found === undefined ? [] : [`${file}: ${found}`];
    });
    expect(ambientUses).toEqual([]);
  });
});

describe('paths', () => {
  it('are never taken from a URL by hand: there a blank is %20', () => {
    const rooms = 'src,test,bench,demo,scripts';
    const all = globSync(`{${rooms}}/**/*.{ts,js,mjs}`, { cwd: root });
    expect(all.length).toBeGreaterThan(files.length);
    const taken = /import\.meta\.url\s*\)\s*\.pathname/;
    expect(all.filter((file) => taken.test(readFileSync(join(root, file), 'utf8')))).toEqual([]);
  });
});

/** The files of one cycle of value imports; empty when there is none. */
function findCycle(): string[] {
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): string[] => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return [];
    for (const target of valuesOf(file)) {
      const cycle = source.has(target) ? visit(target, [...path, file]) : [];
      if (cycle.length > 0) return cycle;
    }
    done.add(file);
    return [];
  };
  for (const file of files) {
    const cycle = visit(file, []);
    if (cycle.length > 0) return cycle;
  }
  return [];
}
