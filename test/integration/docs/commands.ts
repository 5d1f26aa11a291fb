/**
 * The commands that pages tell people to type, read out of the Markdown: lines of code blocks and inline code. Tests run
 * them as they stand, so that no page can show a command that does not work. Pure.
 */
const tools = /^(crossfade|nats|npm|node|curl|kubectl|helm|source) \S/;

/** Code blocks of a page that hold commands, each with its lines; a line that ends in `\` goes on. */
export const commandBlocks = (page: string): string[][] =>
  [...page.matchAll(/^```(\w*)\n([\s\S]*?)^```/gm)]
    .filter(([, language]) => language === '')
    .map(([, , text = '']) => linesOf(text))
    .filter((lines) => lines.some((line) => tools.test(line)));

const linesOf = (text: string): string[] =>
  text
    .replaceAll('\\\n', ' ')
    // A quoted argument may go over several lines.
    .replaceAll(/'[^']*'/g, (quoted) => quoted.replaceAll(/\n\s*/g, ''))
    .split('\n')
    .map(withoutComment)
    .filter((line) => tools.test(line));

const withoutComment = (line: string): string =>
  line
    .replace(/\s#.*$/, '')
    .replaceAll(/ {2,}/g, ' ')
    .trim();

const inlineCommands = (page: string): string[] =>
  [...page.replaceAll(/^```[\s\S]*?^```/gm, '').matchAll(/`([^`\n]+)`/g)]
    .map(([, code = '']) => withoutComment(code))
    .filter((code) => tools.test(code));

/** Every command of a page once, from blocks and from the text. */
export const commandsOf = (page: string): string[] => [
  ...new Set([...commandBlocks(page).flat(), ...inlineCommands(page)]),
];

/** The YAML block that begins with this comment or holds this text. */
export const yamlBlock = (page: string, mark: string): string => {
  const found = [...page.matchAll(/^```yaml\n([\s\S]*?)^```/gm)].find(([, text = '']) => text.includes(mark));
  if (found === undefined) throw new Error(`no YAML block with ${mark}`);
  return found[1] ?? '';
};
