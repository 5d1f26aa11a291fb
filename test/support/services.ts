/** What tests see of the services: their URLs, and names of their own. Starting them is services/start.ts's work. */
import { randomBytes } from 'node:crypto';
import type { ServiceUrls } from './services/start.ts';

export { natsServerBinary, startNats } from './services/nats.ts';
export { startOpenSearch } from './services/opensearch.ts';

/** URLs of the services of this run, set by the environment or by the global set-up. */
export const services = async (): Promise<ServiceUrls> => {
  const url = (name: string): string => {
    const value = process.env[name];
    if (value === undefined)
      throw new Error(`${name} is not set: run through \`npm run test:integration\`, which starts the services`);
    return value;
  };
  return {
    sourceUrl: url('CROSSFADE_TEST_SOURCE_URL'),
    targetUrl: url('CROSSFADE_TEST_TARGET_URL'),
    natsUrl: url('CROSSFADE_TEST_NATS_URL'),
  };
};

/** A name no other test uses, valid as index, slug and bucket. */
export const uniqueName = (prefix: string): string => `${prefix}-${randomBytes(5).toString('hex')}`;
