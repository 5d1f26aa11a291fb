/**
 * `npm run bench [-- name ...]`: runs the benchmarks beside their rivals, prints ratios, keeps JSON. Minutes, not hours.
 * Those that need real clusters are programs of their own.
 */
import { keepReport, type Report } from './lib/report.ts';
import { benchCluster } from './cluster.ts';
import { benchCompare } from './compare.ts';
import { benchProxy } from './proxy.ts';
import { benchScrape } from './scrape.ts';
import { benchShadowIsolation } from './shadow-isolation.ts';

const benches: Record<string, () => Promise<Report>> = {
  proxy: benchProxy,
  cluster: benchCluster,
  compare: benchCompare,
  scrape: benchScrape,
  'shadow-isolation': benchShadowIsolation,
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in benches));
if (unknown.length > 0) {
  const own = ['backfill', 'cutover', 'outage', 'sweep', 'tail', 'workers'].map((name) => `node bench/${name}.ts`);
  const here = Object.keys(benches).join(', ');
  process.stderr.write(`there is no benchmark ${unknown.join(', ')}; there are ${here}, and ${own.join(', ')}\n`);
  process.exit(2);
}
for (const [name, bench] of Object.entries(benches)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  process.stdout.write(`\n== ${name}\n`);
  process.stdout.write(`kept in ${keepReport(await bench())}\n`);
}
