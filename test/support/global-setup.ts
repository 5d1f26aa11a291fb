/** Starts the services once for the whole run and hands their URLs to the test processes through the environment. */
import { startServices } from './services/start.ts';

export default async function setup(): Promise<() => Promise<void>> {
  const running = await startServices({
    briefly: true,
    onProgress: (message) => process.stderr.write(`${message}\n`),
  });
  process.env['CROSSFADE_TEST_SOURCE_URL'] = running.sourceUrl;
  process.env['CROSSFADE_TEST_TARGET_URL'] = running.targetUrl;
  process.env['CROSSFADE_TEST_NATS_URL'] = running.natsUrl;
  return () => running.stop();
}
