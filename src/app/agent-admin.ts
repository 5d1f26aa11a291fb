/** The admin listener of an agent, fed from its parts. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Registry } from 'prom-client';
import type { AdminApi } from '../admin/api.ts';
import type { Lifecycle } from '../admin/health.ts';
import { type AdminServer, createAdminServer } from '../admin/server.ts';
import { shownStatus } from '../coordination/incarnation.ts';
import { readFleet } from '../fleet/read-fleet.ts';
import { secretFrom } from '../upstream/secret.ts';
import { type AgentParts, reportRoutes } from './agent-parts.ts';
import type { Core } from './core.ts';
import { scrapeOf } from './observe.ts';

type ProcessAdmin = {
  registry: Pick<Registry, 'contentType' | 'metrics'>;
  lifecycle: () => Lifecycle;
  unknownAuthority: () => readonly string[];
  discrepancies: AdminApi['discrepancies'];
  self: () => object;
};

/** What the admin listeners of agents and workers have in common. */
export const createProcessAdmin = (core: Core, parts: ProcessAdmin): AdminServer => {
  const { config, logger, store, member, version, boot } = core;
  const { token, tokenFile } = config.admin;
  return createAdminServer({
    config: config.admin,
    token: secretFrom(token, tokenFile, { logger }),
    registry: parts.registry,
    health: () => ({ lifecycle: parts.lifecycle(), unknownAuthority: parts.unknownAuthority() }),
    logger,
    api: {
      store,
      member,
      version,
      boot,
      fleet: () => readFleet(store),
      discrepancies: parts.discrepancies,
      self: () => ({ member, version, store: shownStatus(store.status()), ...parts.self() }),
      changed: (change) => logger.info(change, 'changed by the admin API'),
      now: Date.now,
      sleep: (ms) => delay(ms),
      newId: randomUUID,
    },
  });
};

export type AgentAdminInput = { parts: AgentParts; lifecycle: () => Lifecycle; members: () => number };

export const createAgentAdmin = ({ parts, lifecycle, members }: AgentAdminInput): AdminServer => {
  const { core, view, admission, copier, discrepancies, evidence, filled, brake, plane, shadow } = parts;
  const { registry, metrics, store } = core;
  return createProcessAdmin(core, {
    registry: scrapeOf(registry, metrics, {
      states: () => view.states(),
      admission,
      copier,
      shadow,
      filled,
      brake,
      store: () => store.status(),
      members,
      connections: () => plane.listener.connections,
      requests: () => plane.listener.requests,
    }),
    lifecycle,
    unknownAuthority: () => view.unknownAuthority(),
    discrepancies,
    self: () => ({
      routes: reportRoutes(parts),
      evidence: Object.fromEntries([...view.states().keys()].map((slug) => [slug, evidence.judgement(slug)])),
    }),
  });
};
