/**
 * Samples of mismatches for people: redacted before they are kept, bounded, newest first; where a route asks for it, also
 * put into the store's stream, so that the samples of all members can be read in one place. A request may be sent again
 * only where the route allows it: then it stays in this process's memory as it came, without the client's credentials,
 * and never leaves it.
 */
import { randomUUID } from 'node:crypto';
import type { ReplayRecord, SampleRecord } from '../compare/sample-record.ts';
import { SampleReservoir } from '../compare/samples.ts';
import { type Severity, severities } from '../compare/types.ts';
import type { RouteState, SampleStream } from '../coordination/ports.ts';
import type { SampleSettings } from '../coordination/route-spec.ts';
import { CrossfadeError, isCrossfadeError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { ShadowReport } from '../proxy/shadow/ports.ts';
import { type Redact, type Redacted, redacted, redactionTaskOf } from '../proxy/shadow/redaction-task.ts';
import { replayOf, sampleOf } from './sample-record.ts';
import { createThrottle } from './sample-throttle.ts';

export interface DiscrepancyStore {
  /** Never rejects; resolves when the sample is kept, or is not worth it. */
  add(report: ShadowReport): Promise<void>;
  list(slug: string, filter: { severity?: string | undefined; shape?: string | undefined }): SampleRecord[];
  /** @throws CrossfadeError SAMPLE_UNKNOWN */
  find(id: string): SampleRecord;
  /** Runs the request again on both sides. @throws CrossfadeError SAMPLE_UNKNOWN, REPLAY_REFUSED */
  replay(id: string): Promise<ReplayRecord>;
}

export type DiscrepancyOptions = {
  member: string;
  /** Known to every replica and to nobody outside the store. */
  secret: () => string;
  state: (slug: string) => RouteState | undefined;
  stream: () => SampleStream | undefined;
  logger: Pick<Logger, 'debug' | 'warn'>;
  /** Where values are redacted; default: at once. */
  redact?: Redact;
  /** Milliseconds since the epoch. */
  now?: () => number;
};

type Kept = {
  id: string;
  shape: string;
  severity: Severity;
  atMs: number;
  bytes: number;
  record: SampleRecord;
  repeat: ShadowReport['repeat'] | undefined;
};

const severityOf = (text: string | undefined): Severity | undefined => severities.find((name) => name === text);
const off: SampleSettings = { clearFields: [], replay: false, stream: false };

export const createDiscrepancyStore = (options: DiscrepancyOptions): DiscrepancyStore => new Samples(options);

/** Reports whose answers are held until they are redacted. */
const mostUnderWay = 16;

class Samples implements DiscrepancyStore {
  readonly #options: DiscrepancyOptions & { now: () => number; redact: Redact };
  #underWay = 0;
  readonly #routes = new Map<string, SampleReservoir<Kept>>();
  readonly #isWorthKeeping = createThrottle({ perCellMs: 1000, perSecond: 10, maxCells: 1000 });
  #hasWarned = false;
  readonly #isWorthTelling = createThrottle({ perCellMs: 30_000, perSecond: 2, maxCells: 1000 });

  constructor(options: DiscrepancyOptions) {
    this.#options = { now: Date.now, redact: async (task) => redacted(task), ...options };
  }

  async add(report: ShadowReport): Promise<void> {
    const cell = `${report.slug} ${report.observation.severity} ${report.shape.fingerprint}`;
    const nowMs = this.#options.now();
    if (report.observation.severity === 'none' || this.#underWay >= mostUnderWay) return;
    if (!this.#isWorthKeeping(cell, nowMs)) return;
    this.#underWay += 1;
    try {
      const record = await this.#recordOf(report);
      if (record && this.#settings(report.slug).stream && this.#isWorthTelling(cell, nowMs)) void this.#tell(record);
    } catch (err) {
      this.#options.logger.debug({ err, route: report.slug }, 'a sample was not kept');
    } finally {
      this.#underWay -= 1;
    }
  }

  async #recordOf(report: ShadowReport): Promise<SampleRecord | undefined> {
    const { replay } = this.#settings(report.slug);
    const found = await this.#redacted(report);
    const keeping = { id: randomUUID().slice(0, 8), member: this.#options.member, replayable: replay };
    const record = found && sampleOf(report, found, keeping);
    if (record) this.#keep(record, replay ? report : undefined);
    return record;
  }

  async #redacted(report: ShadowReport): Promise<Redacted | undefined> {
    const { secret, redact } = this.#options;
    const { clearFields } = this.#settings(report.slug);
    const task = redactionTaskOf(report, { secret: secret(), clearFields });
    return task && redact(task);
  }

  list(
    slug: string,
    { severity, shape }: { severity?: string | undefined; shape?: string | undefined },
  ): SampleRecord[] {
    const wanted = severityOf(severity);
    const samples = this.#routes.get(slug);
    if (samples === undefined || (severity !== undefined && wanted === undefined)) return [];
    samples.expire(this.#options.now());
    return samples.list({ severity: wanted, shape }).map(({ record }) => record);
  }

  find(id: string): SampleRecord {
    return this.#find(id).record;
  }

  async replay(id: string): Promise<ReplayRecord> {
    const { record, repeat } = this.#find(id);
    const { route } = record;
    if (repeat === undefined || !this.#settings(route).replay)
      throw new CrossfadeError(
        'REPLAY_REFUSED',
        'Only hashes of the request were kept; set shadow.samples.replay on the route to keep requests in memory.',
      );
    const report = await repeat();
    if ('skipped' in report) return { id, severity: 'none', skipped: report.skipped, differences: [] };
    const found = await this.#redacted(report);
    if (found === undefined) throw new CrossfadeError('SAMPLE_UNKNOWN', `This member keeps no discrepancy ${id}.`);
    return replayOf(id, report, found);
  }

  #find(id: string): Kept {
    for (const samples of this.#routes.values()) {
      const found = samples.hold(id);
      if (found !== undefined) return found;
    }
    throw new CrossfadeError('SAMPLE_UNKNOWN', `This member keeps no discrepancy ${id}.`);
  }

  #settings(slug: string): SampleSettings {
    return this.#options.state(slug)?.spec.shadow.samples ?? off;
  }

  #keep(record: SampleRecord, raw: ShadowReport | undefined): void {
    const { id, shape, severity, atMs, route } = record;
    const bytes = JSON.stringify(record).length + (raw?.request.body?.length ?? 0);
    const samples = this.#routes.get(route) ?? new SampleReservoir<Kept>();
    this.#routes.set(route, samples);
    samples.add({ id, shape, severity, atMs, bytes, record, repeat: raw?.repeat }, Math.random());
  }

  async #tell(record: SampleRecord): Promise<void> {
    const { route, severity, shape } = record;
    try {
      await this.#options.stream()?.add({ slug: route, severity, shape }, JSON.stringify(record));
    } catch (err) {
      this.#noteUntold(err, route);
    }
  }

  /** What comes and goes is no news; a permission that is missing stays so until somebody grants it. */
  #noteUntold(err: unknown, route: string): void {
    const level = isCrossfadeError(err, 'STORE_UNSUPPORTED') && !this.#hasWarned ? 'warn' : 'debug';
    this.#hasWarned ||= level === 'warn';
    this.#options.logger[level]({ err, route }, 'a sample was not put into the stream');
  }
}
