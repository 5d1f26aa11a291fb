/**
 * Takes a stream of server-sent events apart as it arrives in pieces. Pure. The browser's own EventSource cannot send a
 * token, so the page reads the stream through fetch.
 */

/** @typedef {{ event: string, id: string | undefined, data: string }} SseEvent */

/** @param {string} block @returns {SseEvent | undefined} undefined for comments */
const eventOf = (block) => {
  /** @type {Record<string, string>} */
  const fields = {};
  for (const line of block.split('\n')) {
    const [, name = '', value = ''] = /^(\w+): ?(.*)$/.exec(line) ?? [];
    if (name !== '') fields[name] = name in fields ? `${fields[name]}\n${value}` : value;
  }
  const { event, id, data } = fields;
  return data === undefined ? undefined : { event: event ?? 'message', id, data };
};

/** @returns {(piece: string) => SseEvent[]} call with each piece of text; gives the events that it completes */
export const createSseParser = () => {
  let rest = '';
  return (piece) => {
    const blocks = (rest + piece).split('\n\n');
    rest = blocks.pop() ?? '';
    return blocks.flatMap((block) => eventOf(block) ?? []);
  };
};
