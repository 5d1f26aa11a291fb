/** The question behind a question: which documents a search matches, asked of both sides at once, pinned as later rounds are. */
import { type Listing, listingRequest, readListing } from '../../compare/listing.ts';
import type { Listings } from '../../compare/movement.ts';
import { recheckQuery } from '../../compare/recheck.ts';
import { authorityIn, otherSide, type Side } from '../../coordination/records.ts';
import type { SideRequest } from './ports.ts';
import { asJson, frozen, type ObserveDeps, type Sample, SampleSkipped, send, sharedName } from './rounds.ts';

const listingWire = (sample: Sample, side: Side, preference: string): SideRequest | undefined => {
  const wire = sample.served.requestFor(side);
  if (wire === undefined) return undefined;
  const query = recheckQuery('count', { ...sample.request, query: wire.query }, preference);
  return listingRequest(sample.api, { path: wire.path, query, body: frozen(sample, wire.body) });
};

const listingOn = async (
  deps: ObserveDeps,
  sample: Sample,
  { side, preference }: { side: Side; preference: string },
): Promise<Listing | undefined> => {
  const wire = listingWire(sample, side, preference);
  if (wire === undefined) return undefined;
  const asked = await send(deps, sample, { side, ...asJson, wire });
  if (!('failed' in asked)) return deps.inTurn(() => readListing(asked.answer.body, sharedName(deps, sample, side)));
  if (asked.failed === 'stopped') throw new SampleSkipped('stopped');
  return undefined;
};

/** Undefined where documents cannot be listed. */
export const listings = async (
  deps: ObserveDeps,
  sample: Sample,
  preference: string,
): Promise<Listings | undefined> => {
  const side = authorityIn(sample.state.phase.phase);
  const [authority, other] = await Promise.all([
    listingOn(deps, sample, { side, preference }),
    listingOn(deps, sample, { side: otherSide(side), preference }),
  ]);
  return authority && other && { authority, other };
};
