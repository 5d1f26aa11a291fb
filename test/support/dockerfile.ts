/** Reads the Dockerfile of the project: enough of its grammar for what stands there, and an error for what does not. */
export type Instruction = { word: string; text: string };
export type Stage = { image: string; name: string | undefined; instructions: Instruction[] };

const known = new Set(['FROM', 'WORKDIR', 'COPY', 'RUN', 'ENV', 'USER', 'EXPOSE', 'ENTRYPOINT', 'CMD']);

const instructionsIn = (text: string): Instruction[] =>
  text
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll('\\\n', ' ')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [word = '', ...rest] = line.trim().split(/\s+/);
      if (!known.has(word)) throw new Error(`the Dockerfile has an instruction that no test knows: ${line}`);
      return { word, text: rest.join(' ') };
    });

export const stagesOf = (text: string): Stage[] =>
  instructionsIn(text).reduce<Stage[]>((stages, instruction) => {
    if (instruction.word === 'FROM') {
      const [image = '', , name] = instruction.text.split(' ');
      return [...stages, { image, name, instructions: [] }];
    }
    stages.at(-1)?.instructions.push(instruction);
    return stages;
  }, []);

export const all = (stage: Stage, word: string): string[] =>
  stage.instructions.filter((one) => one.word === word).map(({ text }) => text);

export type Copy = { from: string | undefined; sources: string[]; to: string };
export const copiesOf = (text: string): Copy => {
  const words = text.split(' ');
  const from = words[0]?.startsWith('--from=') === true ? words[0].slice('--from='.length) : undefined;
  const paths = from === undefined ? words : words.slice(1);
  return { from, sources: paths.slice(0, -1), to: paths.at(-1) ?? '' };
};

export const environmentOf = (stage: Stage): Record<string, string> =>
  Object.fromEntries(
    all(stage, 'ENV')
      .flatMap((text) => text.split(' '))
      .map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)] as const),
  );
