/**
 * Evidence that may be looked at all day. An e-value is a number whose expectation is at most 1 while the null
 * hypothesis holds, at any moment one cares to stop; so the chance that it ever reaches 1/alpha is at most alpha
 * (Ville). All are mixtures of likelihood ratios over a few alternatives, depend on counts alone, and may therefore be
 * computed from the summed counters of all members. Logarithms throughout: the values themselves overflow.
 */
export type Trials = { readonly hits: number; readonly trials: number };

/** log of the weighted mean of exp(values). */
export const logMeanExp = (values: readonly number[], weight = 1 / values.length): number => {
  const top = Math.max(...values);
  if (!Number.isFinite(top)) return top;
  return top + Math.log(values.reduce((sum, value) => sum + Math.exp(value - top), 0) * weight);
};

/** k log p with 0 log 0 = 0. */
const times = (count: number, logProbability: number): number => (count === 0 ? 0 : count * logProbability);

/** What one hit and one miss say for an alternative, against the null. */
type Weights = { readonly hit: number; readonly miss: number };

/** A judgement asks for the same few shares over and over, and logarithms are most of its cost. */
const mostRemembered = 500;
const remembered = (weigh: (share: number) => Weights[]): ((share: number) => Weights[]) => {
  const known = new Map<number, Weights[]>();
  return (share) => {
    const found = known.get(share);
    if (found !== undefined) return found;
    if (known.size >= mostRemembered) known.clear();
    const weights = weigh(share);
    known.set(share, weights);
    return weights;
  };
};

const weightsOf = (alternative: number, null_: number): Weights => ({
  hit: Math.log(alternative / null_),
  miss: Math.log((1 - alternative) / (1 - null_)),
});

const logMeanRatio = ({ hits, trials }: Trials, weights: readonly Weights[]): number =>
  logMeanExp(weights.map(({ hit, miss }) => times(hits, hit) + times(trials - hits, miss)));

const oddsSteps = [1.25, 1.6, 2, 3, 5, 10, 25, 100];

const withOdds = (probability: number, factor: number): number => {
  const odds = (probability / (1 - probability)) * factor;
  return odds / (1 + odds);
};

const weightsAbove = remembered((limit) => oddsSteps.map((factor) => weightsOf(withOdds(limit, factor), limit)));

/** Evidence against "the true share is at most `limit`" (0 < limit < 1). */
export const logEAbove = (seen: Trials, limit: number): number =>
  limit >= 1 ? 0 : logMeanRatio(seen, weightsAbove(limit));

const lowerSteps = [0, 0.1, 0.25, 0.5, 0.75];

const weightsBelow = remembered((bound) => lowerSteps.map((factor) => weightsOf(bound * factor, bound)));

/** Evidence against "the true share is at least `limit`". */
export const logEBelow = (seen: Trials, limit: number): number =>
  limit <= 0 ? 0 : logMeanRatio(seen, weightsBelow(Math.min(limit, 1 - 1e-9)));

const discordantLogs = [0.55, 0.6, 0.7, 0.8, 0.9, 0.97].map((q) => [Math.log(2 * q), Math.log(2 * (1 - q))] as const);

/**
 * Evidence against "the other side differs no more often than the authority differs from itself" (McNemar): of the
 * pairs where just one of the two comparisons differs, half should be either.
 */
export const logEDiscordant = ({ onlyOther, onlyBaseline }: { onlyOther: number; onlyBaseline: number }): number =>
  logMeanExp(discordantLogs.map(([other, baseline]) => times(onlyOther, other) + times(onlyBaseline, baseline)));

/** Shares of noise considered, from none to all; dense where noise lives. */
const noiseGrid = [0, ...Array.from({ length: 24 }, (_, i) => 0.0005 * 1.4 ** i).filter((share) => share < 1), 1];

export type Noise = {
  /** How often the authority differed from itself. */
  readonly baseline: Trials;
  /** More noise than this is believed only where the baseline shows some; 1 = anything is possible. */
  readonly maxNoise: number;
};

/** Neighbouring points of the grid, up to the greatest noise that is considered. */
const noiseSteps = ({ baseline, maxNoise }: Noise): (readonly [low: number, high: number])[] => {
  const most = baseline.hits === 0 ? maxNoise : Math.max(maxNoise, wilson(baseline).high);
  return noiseGrid
    .slice(1)
    .flatMap((high, i) => (noiseGrid[i]! < most ? [[noiseGrid[i]!, Math.min(high, most)] as const] : []));
};

/**
 * Evidence against "the share is at most `limit` beyond the noise", where the noise is itself only known from
 * `baseline`. For each possible noise either the samples speak against the limit above it, or the baseline against that
 * much noise; the least of these is valid whatever the noise truly is. Between two grid points the weaker end counts.
 */
export const logEAboveNoise = (seen: Trials, noise: Noise, limit: number): number =>
  noiseSteps(noise).reduce(
    (least, [low, high]) =>
      Math.min(least, logMeanExp([logEAbove(seen, limit + high), logEBelow(noise.baseline, low)])),
    Number.POSITIVE_INFINITY,
  );

/** Evidence against "the share is `limit` beyond the noise, or more"; the mirror image of logEAboveNoise. */
export const logEBelowNoise = (seen: Trials, baseline: Trials, limit: number): number =>
  noiseSteps({ baseline, maxNoise: 1 }).reduce(
    (least, [low, high]) => Math.min(least, logMeanExp([logEBelow(seen, limit + low), logEAbove(baseline, high)])),
    Number.POSITIVE_INFINITY,
  );

/** Wilson score interval, for display; `z` 2.576 = 99 %. */
export const wilson = ({ hits, trials }: Trials, z = 2.576): { low: number; high: number } => {
  if (trials === 0) return { low: 0, high: 1 };
  const [share, square] = [hits / trials, (z * z) / trials];
  const centre = (share + square / 2) / (1 + square);
  const half = (z / (1 + square)) * Math.sqrt((share * (1 - share)) / trials + square / (4 * trials));
  return { low: Math.max(0, centre - half), high: Math.min(1, centre + half) };
};
