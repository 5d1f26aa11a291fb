/**
 * Remembers what was read from a text, for a client or cluster says nearly the same with every message. Two generations:
 * when the younger is full it becomes the older, and what was in the older and is not asked for again is forgotten. So
 * neither many different texts nor long ones can take much memory. Only for what depends on nothing but its text.
 */
const generationSize = 128;
const longestText = 2048;

/** `read` of what stands in a text from a place on, done anew only for what is not remembered. Nobody may change its result. */
export const remembered = <V>(read: (text: string) => V): ((text: string, from?: number) => V) => {
  let younger = new Map<string, V>();
  let older = new Map<string, V>();
  const keep = (text: string, value: V): V => {
    if (younger.size >= generationSize) {
      older = younger;
      younger = new Map();
    }
    younger.set(text, value);
    return value;
  };
  return (text, from = 0) => {
    const part = text.slice(from);
    // A part keeps alive what it was cut from.
    if (text.length > longestText) return read(part);
    return younger.get(part) ?? keep(part, older.get(part) ?? read(part));
  };
};
