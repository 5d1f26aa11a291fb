/**
 * Speaks the part of the REST API that agent and proxy use, over Storage, as the Transport port: so the simulation runs
 * the product's own code down to the bytes of requests and answers. What it does not know it refuses loudly, never
 * silently, so that a new call in the product shows up here.
 */
import type { Transport, UpstreamAnswer, UpstreamRequest } from '../../src/upstream/types.ts';
import { applyFilterPath } from './filter-path.ts';
import { type Doc, type Index, Storage, type WriteAnswer, type WriteOp } from './storage.ts';

type Reply = { status: number; text: string };
type Ask = {
  method: string;
  segments: string[];
  query: URLSearchParams;
  body: string;
  /** Names that a write resolved, to the indices they stood for then. */
  pins: ReadonlyMap<string, string>;
};
const reply = (status: number, value: unknown): Reply => ({
  status,
  text: typeof value === 'string' ? value : JSON.stringify(value),
});
const missing = (name: string) => ({ type: 'index_not_found_exception', reason: `no such index [${name}]` });
const errorReply = (status: number, type: string, reason: string): Reply =>
  reply(status, { error: { root_cause: [{ type, reason }], type, reason }, status });

/** Numbers may exceed 2^53, and sources go out as they came in: so answers are written, not serialised. */
const docFields = (doc: { seq: number; term: number; version: bigint }, version = true): string =>
  `${version ? `"_version":${doc.version},` : ''}"_seq_no":${doc.seq},"_primary_term":${doc.term}`;
const routingField = (routing: string | undefined): string =>
  routing === undefined ? '' : `"_routing":${JSON.stringify(routing)},`;

const writeText = (id: string, answer: WriteAnswer, withSource: boolean): string => {
  const head = `"_index":${JSON.stringify(answer.index)},"_id":${JSON.stringify(id)}`;
  if (answer.error !== undefined) return `{${head},"status":${answer.status},"error":${JSON.stringify(answer.error)}}`;
  const doc = answer.doc as { seq: number; term: number; version: bigint };
  const got =
    withSource && answer.source !== undefined
      ? `,"get":{"_seq_no":${doc.seq},"_primary_term":${doc.term},"found":true,"_source":${answer.source}}`
      : '';
  return `{${head},"result":"${answer.result}","_shards":{"total":1,"successful":1,"failed":0},${docFields(doc)}${got},"status":${answer.status}}`;
};

const number = (text: string | number | null | undefined): number | undefined =>
  text === null || text === undefined ? undefined : Number(text);

type Meta = {
  _index?: string;
  _id?: string;
  routing?: string;
  version_type?: string;
  if_seq_no?: number;
  if_primary_term?: number;
  require_alias?: boolean;
  _source?: boolean;
};

/**
 * A request that the cluster has taken in. `names`: what a write addresses, as the description of its task shows it.
 * `resolve` fixes what those names stand for, as the coordinating node does before the shards are asked; `run` answers.
 */
export type Received = { names: readonly string[]; resolve(): readonly string[]; run(): UpstreamAnswer };
type BulkItem = { action: WriteOp['op']; meta: Meta; version: bigint | undefined; source: string | undefined };

const orEqual = 'external_gte';
const isExternal = (versionType: string | null | undefined): boolean =>
  versionType === 'external' || versionType === orEqual;

const readBulk = (body: string): BulkItem[] => {
  const lines = body.split('\n').filter((line) => line !== '');
  const items: BulkItem[] = [];
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] as string;
    const [[action, meta]] = Object.entries(JSON.parse(line) as Record<string, Meta>) as [[WriteOp['op'], Meta]];
    const version = isExternal(meta.version_type) ? /"version":\s*"?(\d+)/.exec(line)?.[1] : undefined;
    const source = action === 'delete' ? undefined : lines[++i];
    items.push({ action, meta, version: version === undefined ? undefined : BigInt(version), source });
  }
  return items;
};

/** The flag counts for all items of a name as soon as one of them, that is not a delete, carries it. */
const namesHeldToAliases = (
  items: readonly BulkItem[],
  { defaultIndex, requireAlias }: { defaultIndex: string | undefined; requireAlias: boolean },
): Set<string> =>
  new Set(
    items.flatMap(({ action, meta }) =>
      action !== 'delete' && (meta.require_alias ?? requireAlias) ? [meta._index ?? (defaultIndex as string)] : [],
    ),
  );

type SeqSearch = {
  size: number;
  query: { range: { _seq_no: { gt: number; lte: number } } };
  sort: unknown;
  seq_no_primary_term: boolean;
  track_total_hits: boolean;
  _source: boolean;
  version: boolean;
};
const bySeq = JSON.stringify([{ _seq_no: { order: 'asc', unmapped_type: 'long' } }]);
const isSeqSearch = ({ query, sort, ...body }: SeqSearch): boolean =>
  query?.range?._seq_no !== undefined &&
  JSON.stringify(sort) === bySeq &&
  body.seq_no_primary_term &&
  !body.track_total_hits &&
  typeof body._source === 'boolean';

const unknown = ({ method, segments, query, body }: Ask): Error =>
  new Error(`the fake cluster does not know ${method} /${segments.join('/')}?${query} ${body}`);

/** What a request may say in its query; a parameter that is left out of account here would be in force elsewhere. */
const knownParameters: Record<string, RegExp> = {
  ...{ refresh: /^(true|false|wait_for|)$/, routing: /./, version: /^\d+$/, version_type: /^(external|external_gte)$/ },
  ...{ if_seq_no: /^\d+$/, if_primary_term: /^\d+$/, require_alias: /^(true|false)$/, op_type: /^(create|index)$/ },
  ...{ _source: /^(true|false)$/, pipeline: /^_none$/, filter_path: /./, realtime: /^true$/, preference: /^_/ },
  ...{ allow_partial_search_results: /^false$/, flat_settings: /^true$/, level: /^shards$/, actions: /./ },
  ...{ detailed: /^true$/, format: /^json$/, bytes: /^b$/, timeout: /^\d+s$/, expand_wildcards: /^all$/ },
};
const isKnownQuery = (query: URLSearchParams): boolean =>
  [...query].every(([name, value]) => knownParameters[name]?.test(value) ?? false);

/** `*` stands for any text. */
const matcherOf = (pattern: string): RegExp => new RegExp(`^${pattern.replace(/[.+]/g, '\\$&').replace(/\*/g, '.*')}$`);

type Task = { name: string; fromMs?: number };
export type FakeCluster = {
  storage: Storage;
  transport: Transport;
  /** Write tasks under way, each by the name that its description shows, and from when on it is one. */
  tasks: Set<Task>;
  requests: UpstreamRequest[];
  receive(request: UpstreamRequest): Received;
};
export type FakeOptions = {
  now: () => number;
  name: string;
  shards?: number;
  newId?: () => string;
  replicateLater?: boolean;
};

export const createFakeCluster = (options: FakeOptions): FakeCluster => {
  const storage = new Storage(options);
  const requests: UpstreamRequest[] = [];
  const tasks = new Set<Task>();
  let ids = 0;
  const newId = options.newId ?? (() => `auto-${options.name}-${++ids}`);

  const refreshAfter = (query: URLSearchParams, names: readonly string[]): void => {
    const refresh = query.get('refresh');
    if (refresh === 'true' || refresh === '' || refresh === 'wait_for') for (const name of names) storage.refresh(name);
  };

  const writeOne = (ask: Ask, op: WriteOp): Reply => {
    const answer = storage.write(op);
    if (answer.error !== undefined) return errorReply(answer.status, answer.error.type, answer.error.reason);
    refreshAfter(ask.query, [op.index]);
    return reply(
      answer.status,
      writeText(op.id, answer, ask.query.get('_source') === 'true').replace(/,"status":\d+}$/, '}'),
    );
  };

  const opFrom = (ask: Ask, over: Pick<WriteOp, 'op' | 'index' | 'id'>): WriteOp => ({
    ...over,
    source: ask.body,
    routing: ask.query.get('routing') ?? undefined,
    external: isExternal(ask.query.get('version_type')),
    orEqual: ask.query.get('version_type') === orEqual,
    version: ask.query.has('version') ? BigInt(ask.query.get('version') as string) : undefined,
    ifSeqNo: number(ask.query.get('if_seq_no')),
    ifTerm: number(ask.query.get('if_primary_term')),
    requireAlias: ask.query.get('require_alias') === 'true',
    resolved: ask.pins.get(over.index),
  });

  const bulk = (ask: Ask, defaultIndex: string | undefined): Reply => {
    const names = new Set<string>();
    const answers: string[] = [];
    const requireAlias = ask.query.get('require_alias') === 'true';
    const items = readBulk(ask.body);
    const held = namesHeldToAliases(items, { defaultIndex, requireAlias });
    let errors = false;
    for (const { action, meta, version, source } of items) {
      const index = meta._index ?? (defaultIndex as string);
      const op: WriteOp = {
        op: action,
        index,
        id: meta._id ?? newId(),
        routing: meta.routing,
        external: isExternal(meta.version_type),
        orEqual: meta.version_type === orEqual,
        version,
        ifSeqNo: meta.if_seq_no,
        ifTerm: meta.if_primary_term,
        requireAlias: meta.require_alias ?? requireAlias,
        resolved: ask.pins.get(index),
        source,
      };
      const isOwn = op.requireAlias === true && action !== 'delete';
      // What is held to aliases is not made; without a flag of its own an item only misses its index.
      const isMissing = held.has(index) && !isOwn && op.resolved === undefined && storage.resolve(index) === undefined;
      const answer = isMissing ? { status: 404, index, error: missing(index) } : storage.write(op);
      names.add(op.index);
      errors ||= answer.error !== undefined;
      answers.push(
        `{"${action}":${writeText(op.id, answer, meta._source === true || ask.query.get('_source') === 'true')}}`,
      );
    }
    refreshAfter(ask.query, [...names]);
    return reply(200, `{"took":1,"errors":${errors},"items":[${answers.join(',')}]}`);
  };

  const shardsText = '"_shards":{"total":1,"successful":1,"skipped":0,"failed":0}';
  const hitText = (index: Index, doc: Doc, { source, version }: { source: boolean; version: boolean }): string =>
    `{"_index":"${index.name}","_id":${JSON.stringify(doc.id)},${routingField(doc.routing)}${docFields(doc, version)},"_score":null${source ? `,"_source":${doc.source}` : ''},"sort":[${doc.seq}]}`;

  const hitsText = (hits: readonly string[], total = ''): string =>
    `{"took":1,"timed_out":false,${shardsText},"hits":{${total}"max_score":null,"hits":[${hits.join(',')}]}}`;

  const search = (ask: Ask, index: Index): Reply => {
    const body = JSON.parse(ask.body) as SeqSearch;
    if (body.size === 0 && Object.keys(body).length === 1)
      return reply(200, hitsText([], `"total":{"value":${storage.count(index.name)},"relation":"eq"},`));
    const shard = /^_shards:(\d+)(\||$)/.exec(ask.query.get('preference') ?? '')?.[1];
    if (shard === undefined || !isSeqSearch(body)) throw unknown(ask);
    const { gt, lte } = body.query.range._seq_no;
    const docs = storage.searchBySeq(index.name, { shard: Number(shard), after: gt, upTo: lte, size: body.size });
    const shown = { source: body._source, version: body.version };
    return reply(200, hitsText(docs.map((doc) => hitText(index, doc, shown))));
  };

  const gotText = (index: Index, at: { id: string; routing?: string | undefined }, source: boolean): string => {
    const doc = storage.get(index.name, at);
    const head = `"_index":"${index.name}","_id":${JSON.stringify(at.id)}`;
    if (doc === undefined) return `{${head},"found":false}`;
    return `{${head},${docFields(doc)},${routingField(doc.routing)}"found":true${source ? `,"_source":${doc.source}` : ''}}`;
  };

  /** A document of an index that is not there has an error of its own. */
  const gotOf = (
    ask: Ask,
    index: Index | undefined,
    at: { id: string; routing?: string | undefined },
    source: boolean,
  ) =>
    index === undefined
      ? JSON.stringify({ _index: ask.segments[0], _id: at.id, error: missing(ask.segments[0] as string) })
      : gotText(index, at, source);

  const mget = (ask: Ask, index: Index | undefined): Reply => {
    const asked = JSON.parse(ask.body) as { docs?: { _id: string; routing?: string }[]; ids?: string[] };
    const docs = asked.docs ?? (asked.ids ?? []).map((_id) => ({ _id, routing: undefined }));
    const withSource = ask.query.get('_source') !== 'false';
    return reply(
      200,
      `{"docs":[${docs.map(({ _id, routing }) => gotOf(ask, index, { id: _id, routing }, withSource)).join(',')}]}`,
    );
  };

  const stats = (index: Index): Reply => {
    const texts = [...storage.contents(index.name).values()].map(({ source }) => source);
    const size = texts.reduce((sum, text) => sum + text.length, 0);
    return reply(200, {
      _all: { primaries: { store: { size_in_bytes: size } } },
      indices: {
        [index.name]: {
          uuid: index.uuid,
          shards: Object.fromEntries(
            index.shards.map((shard, i) => [
              i,
              [
                {
                  routing: { state: 'STARTED', primary: true, node: 'n1' },
                  seq_no: {
                    max_seq_no: shard.nextSeq - 1,
                    local_checkpoint: shard.nextSeq - 1,
                    global_checkpoint: storage.checkpoint(shard),
                  },
                },
              ],
            ]),
          ),
        },
      },
    });
  };

  const info = (index: Index): Reply =>
    reply(200, {
      [index.name]: {
        aliases: Object.fromEntries(
          [...storage.aliases].filter(([, holders]) => holders.has(index.name)).map(([alias]) => [alias, {}]),
        ),
        mappings: {},
        settings: {
          'index.uuid': index.uuid,
          'index.number_of_shards': String(index.shards.length),
          'index.number_of_replicas': '0',
        },
      },
    });

  const changeAliases = (ask: Ask): Reply => {
    const { actions } = JSON.parse(ask.body) as {
      actions: Record<'add' | 'remove', { index: string; alias: string; must_exist?: boolean }>[];
    };
    if (actions.length === 0)
      return errorReply(
        400,
        'action_request_validation_exception',
        'Validation Failed: 1: Must specify at least one alias action;',
      );
    const problem = storage.updateAliases(
      actions.map((action) => {
        const kind = 'add' in action ? 'add' : 'remove';
        return {
          kind,
          index: action[kind].index,
          alias: action[kind].alias,
          mustExist: action[kind].must_exist === true,
        };
      }),
    );
    if (problem === undefined) return reply(200, { acknowledged: true });
    return problem.kind === 'missing'
      ? errorReply(404, 'aliases_not_found_exception', `aliases [${problem.name}] missing`)
      : errorReply(500, 'illegal_state_exception', `alias [${problem.name}] has more than one write index`);
  };

  /** Without a pattern every index is listed; a name that is no pattern has to be there. */
  const getAliases = (pattern: string | undefined): Reply => {
    const found: Record<string, { aliases: Record<string, unknown> }> = {};
    if (pattern === undefined) for (const name of storage.indices.keys()) found[name] = { aliases: {} };
    const patterns = (pattern ?? '*').split(',');
    const names = [...storage.aliases.keys()].filter((alias) => patterns.some((one) => matcherOf(one).test(alias)));
    for (const alias of names)
      for (const holder of storage.aliases.get(alias) ?? []) {
        const aliases = found[holder]?.aliases ?? {};
        found[holder] = { aliases: { ...aliases, [alias]: { is_write_index: true } } };
      }
    const lacking = patterns.filter((one) => !one.includes('*') && !names.includes(one));
    if (lacking.length === 0) return reply(200, found);
    return reply(404, { error: `alias [${lacking}] missing`, status: 404, ...found });
  };

  const readOne = (ask: Ask, name: string, verb: string, id: string): Reply => {
    const index = storage.resolve(name);
    if (index === undefined) return errorReply(404, 'index_not_found_exception', `no such index [${name}]`);
    const at = { id, routing: ask.query.get('routing') ?? undefined };
    if (verb === '_source') {
      const doc = storage.get(index.name, at);
      return doc === undefined ? errorReply(404, 'resource_not_found_exception', '') : reply(200, doc.source);
    }
    const text = gotText(index, at, true);
    return reply(text.includes('"found":true') ? 200 : 404, text);
  };

  const docOp = (ask: Ask, name: string, verb: string, id: string | undefined): Reply => {
    const isPut = ask.method === 'PUT' || ask.method === 'POST';
    if (ask.method === 'GET' && id !== undefined && (verb === '_doc' || verb === '_source'))
      return readOne(ask, name, verb, id);
    if (verb === '_doc' && ask.method === 'DELETE' && id !== undefined)
      return writeOne(ask, opFrom(ask, { op: 'delete', index: name, id }));
    if (verb === '_create' && isPut && id !== undefined)
      return writeOne(ask, opFrom(ask, { op: 'create', index: name, id }));
    if (verb === '_update' && ask.method === 'POST' && id !== undefined)
      return writeOne(ask, opFrom(ask, { op: 'update', index: name, id }));
    if (verb !== '_doc' || !isPut) throw unknown(ask);
    const op = ask.query.get('op_type') === 'create' ? 'create' : 'index';
    return writeOne(ask, opFrom(ask, { op, index: name, id: id ?? newId() }));
  };

  const createIndex = (ask: Ask, name: string): Reply => {
    const settings = flatSettings((JSON.parse(ask.body || '{}') as { settings?: Settings }).settings ?? {});
    if (String(settings['number_of_shards']) === '0')
      return errorReply(400, 'illegal_argument_exception', 'Failed to parse value [0], must be >= 1');
    if (storage.indices.has(name))
      return errorReply(400, 'resource_already_exists_exception', `index [${name}] already exists`);
    storage.createIndex(name, {
      hidden: String(settings['hidden']) === 'true',
      blocked: String(settings['blocks.write']) === 'true',
    });
    return reply(200, { acknowledged: true, shards_acknowledged: true, index: name });
  };

  const deleteIndex = (ask: Ask, name: string): Reply => {
    if (!storage.indices.has(name)) throw unknown(ask);
    storage.deleteIndex(name);
    return reply(200, { acknowledged: true });
  };

  const count = (ask: Ask, index: Index): Reply => {
    const query = ask.body === '' ? undefined : (JSON.parse(ask.body) as { query: unknown }).query;
    if (query === undefined) return reply(200, `{"count":${storage.count(index.name)},${shardsText}}`);
    if (JSON.stringify(query) !== '{"exists":{"field":"_routing"}}') throw unknown(ask);
    const routed = index.shards
      .flatMap(({ visible }) => [...visible.values()])
      .filter((doc) => doc.routing !== undefined);
    return reply(200, `{"count":${routed.length},${shardsText}}`);
  };

  const putSettings = (ask: Ask, name: string, index: Index): Reply => {
    const settings = flatSettings(JSON.parse(ask.body) as Settings);
    if ('number_of_shards' in settings)
      return errorReply(400, 'illegal_argument_exception', `final ${name} setting [index.number_of_shards]`);
    if (Object.keys(settings).join() !== 'blocks.write') throw unknown(ask);
    index.blocked = settings['blocks.write'] === true;
    return reply(200, { acknowledged: true });
  };

  const putBlock = (ask: Ask, name: string, index: Index): Reply => {
    if (ask.segments[2] !== 'write') throw unknown(ask);
    index.blocked = true;
    return reply(200, { acknowledged: true, shards_acknowledged: true, indices: [{ name, blocked: true }] });
  };

  const putMapping = (ask: Ask): Reply => {
    if (ask.body !== '{"properties":{}}') throw unknown(ask);
    return reply(200, { acknowledged: true });
  };

  const refreshIndex = (name: string): Reply => {
    storage.refresh(name);
    return reply(200, `{${shardsText}}`);
  };

  const onIndex = (ask: Ask, name: string, verb = ''): Reply => {
    const asked = `${ask.method} ${verb}`.trim();
    const index = storage.resolve(name);
    if (asked === 'PUT') return createIndex(ask, name);
    if (asked === 'POST _mget') return mget(ask, index);
    if (index === undefined) return errorReply(404, 'index_not_found_exception', `no such index [${name}]`);
    switch (asked) {
      case 'GET':
        return info(index);
      case 'DELETE':
        return deleteIndex(ask, name);
      case 'POST _refresh':
        return refreshIndex(name);
      case 'GET _count':
      case 'POST _count':
        return count(ask, index);
      case 'HEAD _alias':
        return reply(storage.aliases.get(ask.segments[2] ?? '')?.has(index.name) === true ? 200 : 404, {});
      case 'POST _search':
        return search(ask, index);
      case 'GET _stats':
        return stats(index);
      case 'GET _settings':
        // Those that are asked for by name; of them an index here has its id only.
        if (ask.segments[2] === undefined) throw unknown(ask);
        return reply(200, {
          [index.name]: { settings: ask.segments[2] === 'index.uuid' ? { index: { uuid: index.uuid } } : {} },
        });
      case 'PUT _settings':
        return putSettings(ask, name, index);
      case 'PUT _mapping':
        return putMapping(ask);
      case 'PUT _block':
        return putBlock(ask, name, index);
      default:
        throw unknown(ask);
    }
  };

  const clusterState = (name: string): Reply => {
    const index = storage.resolve(name);
    const terms = Object.fromEntries((index?.shards ?? []).map((_, shard) => [shard, index?.term]));
    return reply(200, { metadata: { indices: index === undefined ? {} : { [index.name]: { primary_terms: terms } } } });
  };

  const action = 'indices:data/write/bulk';
  const tasksNow = ({ query }: Ask): Reply => {
    const asked = (query.get('actions') ?? '*').split(',').some((pattern) => matcherOf(pattern).test(action));
    const underWay = asked ? [...tasks].filter(({ fromMs = 0 }) => fromMs <= options.now()) : [];
    const described = underWay.map(({ name }, i) => [
      `n1:${i}`,
      { action, ...(query.has('detailed') ? { description: `requests[1], indices[${name}]` } : {}) },
    ]);
    return reply(200, { nodes: underWay.length === 0 ? {} : { n1: { tasks: Object.fromEntries(described) } } });
  };

  /** Every shard here is assigned; an index that is not there makes the answer wait in vain. */
  const health = (names: readonly string[]): Reply =>
    names.every((name) => storage.resolve(name) !== undefined)
      ? reply(200, { status: 'green', timed_out: false })
      : reply(408, { status: 'red', timed_out: true });

  const clusterInfo = {
    name: 'n1',
    cluster_name: options.name,
    cluster_uuid: options.name,
    version: { number: '3.8.0', distribution: 'opensearch' },
  };
  const noTask = (id: string): Reply =>
    errorReply(404, 'resource_not_found_exception', `task [${id}] isn't running and hasn't stored its results`);

  /** Undefined for a request that begins with the name of an index. */
  const clusterWide = (ask: Ask): Reply | undefined => {
    const [first = '', second, third, fourth] = ask.segments;
    if (first !== '' && !first.startsWith('_')) return undefined;
    switch (`${ask.method} ${[first, ...(/^_(cluster|cat|nodes)$/.test(first) ? [second] : [])].join('/')}`) {
      case 'GET ':
        return reply(200, clusterInfo);
      case 'POST _aliases':
        return changeAliases(ask);
      case 'GET _alias':
        return getAliases(second);
      case 'POST _bulk':
        return bulk(ask, undefined);
      case 'GET _cluster/state':
        if (third !== 'metadata' || fourth === undefined) throw unknown(ask);
        return clusterState(fourth);
      case 'GET _cluster/health':
        return health(third === undefined ? [] : third.split(','));
      case 'GET _cat/health':
        return reply(200, [{ epoch: '0', status: 'green' }]);
      case 'GET _cat/allocation':
        // Of nodes that tell nothing of their disks.
        return reply(200, []);
      case 'GET _nodes/stats':
        return reply(200, { _nodes: { total: 1, successful: 1, failed: 0 } });
      case 'GET _tasks':
        return second === undefined ? tasksNow(ask) : noTask(second);
      default:
        throw unknown(ask);
    }
  };

  const answer = (ask: Ask): Reply => {
    const wide = clusterWide(ask);
    if (wide !== undefined) return wide;
    const [name = '', verb, id] = ask.segments;
    if (verb === '_bulk' && ask.method === 'POST') return bulk(ask, name);
    if (['_doc', '_source', '_create', '_update'].includes(verb ?? '')) return docOp(ask, name, verb as string, id);
    return onIndex(ask, name, verb);
  };

  /** Errors are told whole. */
  const handle = (ask: Ask): Reply => {
    if (!isKnownQuery(ask.query)) throw unknown(ask);
    const { status, text } = answer(ask);
    const filter = status < 300 ? ask.query.get('filter_path') : null;
    return { status, text: filter === null ? text : applyFilterPath(text, filter) };
  };

  const askOf = ({ method, path, body }: UpstreamRequest): Ask => {
    const [pathname = '', query = ''] = path.split('?', 2);
    const segments = pathname.split('/').filter((part) => part !== '');
    return {
      method,
      segments: segments.map(decodeURIComponent),
      query: new URLSearchParams(query),
      body: textOf(body),
      pins: new Map(),
    };
  };

  const receive = (upstream: UpstreamRequest): Received => {
    requests.push(upstream);
    let ask = askOf(upstream);
    const names = namesWritten(ask);
    return {
      names,
      resolve: () => {
        const pins = names.flatMap((name): [string, string][] => {
          const pinned = storage.pin(name);
          return pinned === undefined ? [] : [[name, pinned]];
        });
        // An update asks for its alias again when it has made the document to write.
        ask = { ...ask, pins: new Map(ask.segments[1] === '_update' ? [] : pins) };
        return pins.map(([, pinned]) => pinned);
      },
      run: () => {
        const { status, text } = handle(ask);
        return { status, headers: { 'content-type': 'application/json; charset=UTF-8' }, body: Buffer.from(text) };
      },
    };
  };

  return { storage, transport: { request: async (upstream) => receive(upstream).run() }, tasks, requests, receive };
};

type Settings = Record<string, unknown>;
/** As the cluster takes them: nested under `index`, with the prefix, or without. */
const flatSettings = (settings: Settings): Settings => {
  const { index, ...rest } = settings;
  const flat = Object.entries({ ...rest, ...(index as Settings | undefined) });
  return Object.fromEntries(flat.map(([name, value]) => [name.replace(/^index\./, ''), value]));
};

const textOf = (body: UpstreamRequest['body']): string => {
  if (body === undefined || typeof body === 'string') return body ?? '';
  return Buffer.concat('pieces' in body ? [...body.pieces()] : [body]).toString('utf8');
};

/** Names that a request writes to; empty for everything that does not write documents. */
const namesWritten = ({ method, segments, body }: Ask): string[] => {
  const [first = '', verb] = segments;
  const isBulk = first === '_bulk' || verb === '_bulk';
  if (!isBulk) {
    const writes =
      verb === '_create' || verb === '_update' || (verb === '_doc' && method !== 'GET' && method !== 'HEAD');
    return writes ? [first] : [];
  }
  const named = [...body.matchAll(/"_index":\s*"([^"]+)"/g)].map((match) => match[1] as string);
  return [...new Set(first === '_bulk' ? named : [first, ...named])];
};
