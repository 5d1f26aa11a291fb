import { NatsConfig } from '../../../src/config.ts';
import { openNatsStore } from '../../../src/coordination/nats-store.ts';
import { silentLogger } from '../../../src/log.ts';
import { services, uniqueName } from '../../support/services.ts';
import { dropStreams } from './nats-admin.ts';
import { testStore } from './store-contract.ts';

testStore('the store on NATS', async () => {
  const { natsUrl } = await services();
  const config = NatsConfig.parse({ servers: [natsUrl], bucket: uniqueName('contract') });
  const times = { liveTtlMs: 2_000, ackWaitMs: 1_000 };
  return {
    ...times,
    sharedQueue: true,
    dispose: () => dropStreams(natsUrl, config.bucket),
    open: async () => {
      const store = openNatsStore({ config, member: 'contract', logger: silentLogger(), ...times });
      await store.ready(10_000);
      return store;
    },
  };
});
