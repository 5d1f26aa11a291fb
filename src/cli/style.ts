/** Colour by meaning, on terminals that want it. Meaning never stands in colour alone: the words carry it too. */
export type Style = {
  good(text: string): string;
  bad(text: string): string;
  warn(text: string): string;
  strong(text: string): string;
  faint(text: string): string;
};

const sequence = (on: number, off: number) => (text: string) => `\u001b[${on}m${text}\u001b[${off}m`;
const plain = (text: string): string => text;

export const styleOf = (colour: boolean): Style =>
  colour
    ? {
        good: sequence(32, 39),
        bad: sequence(31, 39),
        warn: sequence(33, 39),
        strong: sequence(1, 22),
        faint: sequence(2, 22),
      }
    : { good: plain, bad: plain, warn: plain, strong: plain, faint: plain };
