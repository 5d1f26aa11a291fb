/**
 * What the three probes answer. Pure. Liveness says only that the process can answer: a restart cures neither NATS nor a
 * cluster, and would drop the copies in memory. Readiness gates the whole pod, so it asks whether this member can serve
 * the application and never looks at a cluster. Invariant: no probe depends on NATS, on the source or on the target.
 */
export type Lifecycle = 'starting' | 'serving' | 'draining' | 'stopped';
export type HealthFacts = {
  lifecycle: Lifecycle;
  /** Routes whose authority this member cannot tell. */
  unknownAuthority: readonly string[];
};
export type Probe = { ok: boolean; status: string; reasons: string[] };

export const liveness = (): Probe => ({ ok: true, status: 'alive', reasons: [] });

export const startup = ({ lifecycle }: HealthFacts): Probe => ({
  ok: lifecycle !== 'starting',
  status: lifecycle,
  reasons: lifecycle === 'starting' ? ['the listener is not open yet'] : [],
});

/** A member that drains still serves what it has, and asks for no more. */
export const readiness = ({ lifecycle, unknownAuthority }: HealthFacts): Probe => {
  const reasons = [
    ...(lifecycle === 'serving' ? [] : [`the process is ${lifecycle}`]),
    ...unknownAuthority.map((slug) => `the authority of ${slug} is not known`),
  ];
  return { ok: reasons.length === 0, status: lifecycle, reasons };
};
