/** The shadow side of one read: draws the ticket at its beginning and settles it once, whatever becomes of the read. */
import type { Side } from '../../coordination/records.ts';
import type { ClientRequest } from '../client-request.ts';
import type { ServedRead, ShadowTicket } from '../shadow/ports.ts';
import type { Plan } from '../types.ts';
import type { PassOptions, SeenAnswer } from './ports.ts';
import type { Shared } from './shared.ts';

type SampledRequest = Pick<ServedRead, 'requestBody' | 'requestFor'>;

export type Sampling = {
  readonly drawn: boolean;
  /** To be given to whatever forwards the answer; undefined when nothing was drawn. */
  tee(side: Side, request: () => SampledRequest): PassOptions['tee'];
  served(sample: { side: Side; answer: SeenAnswer } & SampledRequest): void;
  /** The client got an error of ours, or left. */
  failed(): void;
};

const notDrawn: Sampling = { drawn: false, tee: () => undefined, served: () => undefined, failed: () => undefined };

type SampledPlan = Pick<Extract<Plan, { kind: 'read' }>, 'state' | 'operation'>;

export const startSampling = (shared: Shared, request: ClientRequest, plan: SampledPlan): Sampling => {
  const ticket = shared.deps.shadow.draw({ state: plan.state, operation: plan.operation, head: request.head });
  return ticket === undefined ? notDrawn : drawnSampling(shared, request, ticket);
};

const drawnSampling = (shared: Shared, { head }: ClientRequest, ticket: ShadowTicket): Sampling => {
  const atMs = shared.date().getTime();
  const served: Sampling['served'] = ({ side, answer, requestBody, requestFor }) => {
    if (answer.body.length > ticket.maxBodyBytes) return ticket.skip('too_large');
    ticket.offer({
      ...answer,
      side,
      atMs,
      requestBody,
      authorization: head.headers['authorization'],
      requestFor,
    });
  };
  return {
    drawn: true,
    served,
    tee: (side, request) => ({
      maxBytes: ticket.maxBodyBytes,
      done: (answer, why) => {
        if (answer === undefined) ticket.skip(why === 'too_large' ? 'too_large' : 'client_failed');
        else served({ side, answer, ...request() });
      },
    }),
    failed: () => ticket.skip('client_failed'),
  };
};
