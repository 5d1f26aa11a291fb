/**
 * Server-sent events as text. Pure. The id names the process and the moment, so that a page that reconnects gets what it
 * missed from the same process and everything from another one.
 */
export type Frame = { event: string; id?: string; data: unknown };

/** JSON has no line breaks, so one data line is enough. */
export const frameText = ({ event, id, data }: Frame): string =>
  `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;

/** Keeps the connection open through whatever stands in between. */
export const heartbeatText = ': still here\n\n';

export const eventId = (boot: string, seq: number): string => `${boot}.${seq}`;

/** The moment after which to go on; 0 = from the beginning. */
export const resumeFrom = (boot: string, lastEventId: string | undefined): number => {
  const match = /^(.+)\.(\d{1,15})$/.exec(lastEventId ?? '');
  return match?.[1] === boot ? Number(match[2]) : 0;
};
