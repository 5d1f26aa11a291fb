/**
 * Who may still write to the source by its plain name, which no fence of an alias closes: a process that lost the store
 * while the route was `off` for it, or before it knew the route. Nothing that is asked of the storage finds it before it
 * writes again, so no copies begin and no authority moves until it is stopped or said to be gone. Pure. Names of members
 * are unique: a process whose member is heard with a later start is gone.
 */
import type { Lost, Membership } from '../../coordination/membership.ts';
import type { ListedProcess } from '../../coordination/process-list.ts';
import type { PhaseRecord } from '../../coordination/records.ts';

type Route = { slug: string; record: Pick<PhaseRecord, 'phase' | 'epoch'> };

/** Its last report was of a route that it wrote to by alias: in this stay away from `off`, with nothing older under way. */
const wroteThroughAlias = ({ heartbeat }: Lost, { slug, record }: Route): boolean => {
  const line = heartbeat?.routes[slug];
  return line !== undefined && line.phase !== 'off' && line.drained && line.epoch === record.epoch;
};

const lastInOff = ({ heartbeat }: Lost, { slug }: Route): boolean =>
  (heartbeat?.routes[slug]?.phase ?? 'off') === 'off';

/** Whose start is listed and in no heartbeat. */
export const isReplaced = ({ member }: ListedProcess, { members }: Membership): boolean =>
  members.get(member)?.heartbeat !== undefined;

/** `unheard`: listed, and not heard. Once copies run, whoever is only listed was heard with an alias before they began. */
export const plainWriters = (view: Membership, unheard: readonly ListedProcess[], route: Route): string[] => {
  const seen = [...view.lost].filter(([, lost]) => lastInOff(lost, route)).map(([member]) => member);
  const left = new Set(
    [...view.lost.values()].filter((lost) => wroteThroughAlias(lost, route)).map(({ boot }) => boot),
  );
  const listed = unheard.filter((one) => !isReplaced(one, view) && !left.has(one.boot)).map(({ member }) => member);
  return [...new Set([...seen, ...(route.record.phase === 'observe' ? listed : [])])].sort();
};

/** For people: what to do about them. */
export const plainWritersText = (names: readonly string[]): string =>
  `${names.join(', ')} ${names.length === 1 ? 'was' : 'were'} lost, in off as far as is known, and may still write to the source past every alias: ` +
  `stop the process, then say so with ${names.map((name) => `crossfade forget ${name}`).join(', ')}`;
