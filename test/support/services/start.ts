/**
 * Finds or starts the three services a run needs: URLs from the environment win; else processes on this machine; else
 * containers. One pair of clusters serves a whole run, so every test uses its own indices and buckets.
 */
import { natsContainer, openSearchContainer } from './containers.ts';
import { startNats } from './nats.ts';
import { startOpenSearch } from './opensearch.ts';
import { findJdk, findOnPath, hasContainerEngine, MissingPrerequisite } from './prerequisites.ts';

export type ServiceUrls = { sourceUrl: string; targetUrl: string; natsUrl: string };
export type RunningServices = ServiceUrls & { stop(): Promise<void> };
type Started = { url: string; stop(): Promise<void> };

const given = (url: string | undefined): Started | undefined =>
  url === undefined ? undefined : { url, stop: async () => undefined };

const withContainers = async (native: () => Promise<Started>, container: () => Promise<Started>): Promise<Started> => {
  try {
    return await native();
  } catch (error) {
    if (error instanceof MissingPrerequisite && (await hasContainerEngine())) return container();
    throw error;
  }
};

const canRunOpenSearch = async (): Promise<boolean> =>
  findOnPath('mvn') !== undefined && (await findJdk()) !== undefined;

const openSearch = (name: string, port?: number): Promise<Started> =>
  withContainers(() => startOpenSearch({ name, ...(port === undefined ? {} : { port }) }), openSearchContainer);

export type StartServicesOptions = { sourcePort?: number; targetPort?: number; onProgress?: (message: string) => void };

export const startServices = async (options: StartServicesOptions = {}): Promise<RunningServices> => {
  const env = process.env;
  const say = options.onProgress ?? (() => undefined);
  say(
    (await canRunOpenSearch())
      ? 'starting two OpenSearch clusters and NATS on this machine'
      : 'looking for the services',
  );
  const nats = given(env['CROSSFADE_TEST_NATS_URL']) ?? (await withContainers(() => startNats(), natsContainer));
  const source = given(env['CROSSFADE_TEST_SOURCE_URL']) ?? (await openSearch('source', options.sourcePort));
  const target = given(env['CROSSFADE_TEST_TARGET_URL']) ?? (await openSearch('target', options.targetPort));
  const all = [nats, source, target];
  return {
    sourceUrl: source.url,
    targetUrl: target.url,
    natsUrl: nats.url,
    stop: async () => {
      await Promise.all(all.map((service) => service.stop()));
    },
  };
};
