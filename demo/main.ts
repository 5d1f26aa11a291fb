/**
 * `npm run demo`: a whole migration on real services under live load, checked step by step. Ends by itself with exit code
 * 0 only if every claim held; `--stay` keeps everything running and prints the URLs. Ctrl-C stops whatever was started.
 */
import { MissingPrerequisite } from '../test/support/services/prerequisites.ts';
import { compareSides } from './final.ts';
import { startLoad } from './load.ts';
import { stopAll } from './processes.ts';
import { claims, fallSilent, heading, say } from './report.ts';
import { cutover, dualWrite, observe, ramp, reset, rollback, shadow } from './walk.ts';
import { buildWorld, type World } from './world.ts';

const stay = process.argv.includes('--stay');
let world: World | undefined;
let stopping = false;

const shutDown = async (code: number): Promise<void> => {
  if (stopping) return;
  stopping = true;
  await stopAll();
  await world?.close();
  process.exit(code);
};
const interrupt = (code: number): void => {
  say('   stopping everything');
  fallSilent();
  void shutDown(code);
};
process.once('SIGINT', () => interrupt(130));
process.once('SIGTERM', () => interrupt(143));

const untilInterrupted = async ({ sidecars, admins, gateways, services }: World): Promise<void> => {
  heading('still running; Ctrl-C stops everything');
  say(`   gateways  ${gateways.join('  ')}`);
  say(`   sidecars  ${sidecars.join('  ')}`);
  say(
    `   dashboard ${admins.map((url) => `${url}/`).join('  ')}   (either shows both; health, metrics and API are there too)`,
  );
  say(`   source    ${services.sourceUrl}/products_v1   target ${services.targetUrl}/products_v2`);
  say(
    `   NATS      ${services.natsUrl}   (CROSSFADE_NATS_SERVERS=${services.natsUrl} npm run -s crossfade -- status products)`,
  );
  await new Promise(() => undefined);
};

const run = async (): Promise<number> => {
  heading('setting up');
  world = await buildWorld();
  const load = startLoad({ gateways: world.gateways, requestsPerSecond: 120, documents: 800 });
  await observe(world, load);
  await dualWrite(world, load);
  await shadow(world, load);
  await ramp(world, load);
  await reset(world, load);
  await cutover(world, load);
  await rollback(world, load);
  await compareSides(world, load);
  const { checked, broken } = claims();
  say(`\n${checked - broken} of ${checked} claims hold${broken === 0 ? '' : `; logs in ${world.logDir}`}`);
  if (stay) await untilInterrupted(world);
  return broken === 0 ? 0 : 1;
};

run().then(
  (code) => shutDown(code),
  (error: unknown) => {
    say(
      error instanceof MissingPrerequisite
        ? error.message
        : String(error instanceof Error ? (error.stack ?? error.message) : error),
    );
    return shutDown(1);
  },
);
