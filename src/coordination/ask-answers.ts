/**
 * The answers of a leader, of which the store has room for one: that to the last request. Whoever asked before looks now
 * and then, and the next request may be answered by then; so each answer carries the final ones before it, of the length
 * that people and exit codes need. Without them a cutover that was done would read as one that nobody took up.
 */
import type { AskResult, EarlierAnswer } from './records.ts';

const keptAnswers = 4;
const keptDetailsChars = 8 * 1024;

type Details = EarlierAnswer['details'];

/** Lists of documents give way to the figures beside them. */
const shortened = (details: Details): Details => {
  if (details === undefined || JSON.stringify(details).length <= keptDetailsChars) return details;
  return Object.fromEntries(Object.entries(details).filter(([, value]) => typeof value !== 'object'));
};

const asEarlier = ({ schema: _, earlier: __, details, ...answer }: AskResult): EarlierAnswer => ({
  ...answer,
  ...(details !== undefined && { details: shortened(details) }),
});

/** `next` in the place of the answer that stands, if one does. */
export const withEarlier = (standing: AskResult | undefined, next: AskResult): AskResult => {
  if (standing === undefined) return next;
  const before = standing.earlier ?? [];
  const isOther = standing.id !== next.id && standing.state !== 'running';
  const earlier = (isOther ? [asEarlier(standing), ...before] : before).slice(0, keptAnswers);
  return earlier.length === 0 ? next : { ...next, earlier };
};

/** The answer to one request, as long as it is remembered. */
export const answerTo = (standing: AskResult | undefined, id: string): AskResult | undefined => {
  if (standing?.id === id) return standing;
  const earlier = standing?.earlier?.find((answer) => answer.id === id);
  return earlier && { schema: 1, ...earlier };
};
