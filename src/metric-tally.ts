/**
 * Counters and histograms for the way of each request: a series is looked up once, then counted in plain numbers, and put
 * into the form of prom-client when it is scraped. prom-client's own name a series by a string and look for it with every
 * event, which cost a request that passes more than reading its head. What is exposed is the same to the last digit.
 */
import { Counter, type HistogramConfiguration } from 'prom-client';

type Labels<T extends string> = Readonly<Record<T, string>>;

export type CounterCell = { count: number };

export class TalliedCounter<T extends string = string> extends Counter<T> {
  readonly #cells: { readonly labels: Labels<T>; readonly cell: CounterCell }[] = [];

  /** To be asked for once for each series, and kept; adding to its count is all that an event costs. */
  cell(labels: Labels<T>): CounterCell {
    const cell = { count: 0 };
    this.#cells.push({ labels, cell });
    return cell;
  }

  override get(): ReturnType<Counter<T>['get']> {
    for (const { labels, cell } of this.#cells) {
      if (cell.count > 0) this.inc(labels, cell.count);
      cell.count = 0;
    }
    return super.get();
  }
}

class HistogramSeries {
  readonly labels: Labels<string>;
  count = 0;
  sum = 0;
  readonly #bounds: readonly number[];
  readonly #counts: number[];

  constructor(labels: Labels<string>, bounds: readonly number[]) {
    this.labels = labels;
    this.#bounds = bounds;
    this.#counts = bounds.map(() => 0);
  }

  /** @throws TypeError when it is no finite number */
  observe(value: number): void {
    if (!Number.isFinite(value)) throw new TypeError(`Value is not a valid number: ${value}`);
    this.count++;
    this.sum += value;
    const bounds = this.#bounds;
    for (let i = 0; i < bounds.length; i++) {
      if (value > (bounds[i] as number)) continue;
      (this.#counts[i] as number)++;
      return;
    }
  }

  /** Each bound with the number of values up to it. */
  *cumulative(): Generator<[le: number | string, count: number]> {
    let upToHere = 0;
    for (const [i, bound] of this.#bounds.entries()) {
      upToHere += this.#counts[i] as number;
      yield [bound, upToHere];
    }
    yield ['+Inf', this.count];
  }
}

type Exposed = {
  metricName: string;
  labels: { le?: number | string };
  /** Turned into text once for all lines of a series. */
  sharedLabels: Labels<string>;
  value: number;
};

/** For `Registry.registerMetric`, which asks a metric for no more than these. */
export class TalliedHistogram<T extends string = string> {
  readonly name: string;
  readonly help: string;
  readonly type = 'histogram';
  readonly #labelNames: readonly T[];
  readonly #bounds: readonly number[];
  readonly #series = new Map<string, HistogramSeries>();

  constructor({ name, help, labelNames = [], buckets = [] }: HistogramConfiguration<T>) {
    this.name = name;
    this.help = help;
    this.#labelNames = labelNames;
    this.#bounds = buckets;
  }

  /** To be kept by who observes often. It is exposed once something was observed. */
  series(labels: Labels<T>): HistogramSeries {
    const key = JSON.stringify(this.#labelNames.map((name) => labels[name]));
    const series = this.#series.get(key) ?? new HistogramSeries({ ...labels }, this.#bounds);
    this.#series.set(key, series);
    return series;
  }

  observe(labels: Labels<T>, value: number): void {
    this.series(labels).observe(value);
  }

  get(): Promise<Pick<this, 'name' | 'help' | 'type'> & { aggregator: 'sum'; values: Exposed[] }> {
    const { name, help, type } = this;
    const values = [...this.#series.values()].filter(({ count }) => count > 0).flatMap((one) => this.#expose(one));
    return Promise.resolve({ name, help, type, aggregator: 'sum', values });
  }

  #expose(series: HistogramSeries): Exposed[] {
    const { name } = this;
    const { labels: sharedLabels, sum, count } = series;
    const buckets = Array.from(series.cumulative(), ([le, value]) => ({ labels: { le }, value }));
    return [
      ...buckets.map((bucket) => ({ metricName: `${name}_bucket`, sharedLabels, ...bucket })),
      { metricName: `${name}_sum`, labels: {}, sharedLabels, value: sum },
      { metricName: `${name}_count`, labels: {}, sharedLabels, value: count },
    ];
  }
}
