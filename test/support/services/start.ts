/**
 * Finds or starts the three services a run needs: URLs from the environment win; else processes on this machine; else
 * containers. One pair of clusters serves a whole run, so every test uses its own indices and buckets.
 */
import { natsContainer, openSearchContainer } from './containers.ts';
import { startNats } from './nats.ts';
import { type OpenSearchOptions, startOpenSearch } from './opensearch.ts';
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

export type StartServicesOptions = Pick<OpenSearchOptions, 'briefly'> & {
  sourcePort?: number;
  targetPort?: number;
  onProgress?: (message: string) => void;
};

const openSearch = (name: string, { briefly }: StartServicesOptions, port?: number): Promise<Started> => {
  const options = { name, ...(briefly && { briefly }), ...(port === undefined ? {} : { port }) };
  return withContainers(() => startOpenSearch(options), openSearchContainer);
};

export const startServices = async (options: StartServicesOptions = {}): Promise<RunningServices> => {
  const env = process.env;
  const say = options.onProgress ?? (() => undefined);
  say(
    (await canRunOpenSearch())
      ? 'starting two OpenSearch clusters and NATS on this machine'
      : 'looking for the services',
  );
  const all = await Promise.all([
    given(env['CROSSFADE_TEST_NATS_URL']) ?? withContainers(() => startNats(), natsContainer),
    given(env['CROSSFADE_TEST_SOURCE_URL']) ?? openSearch('source', options, options.sourcePort),
    given(env['CROSSFADE_TEST_TARGET_URL']) ?? openSearch('target', options, options.targetPort),
  ]);
  const [nats, source, target] = all;
  return {
    sourceUrl: source.url,
    targetUrl: target.url,
    natsUrl: nats.url,
    stop: async () => {
      await Promise.all(all.map((service) => service.stop()));
    },
  };
};
