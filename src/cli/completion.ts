/**
 * Shell completion, made from the command tree itself, so that a new command is completed without being listed again.
 * Words only: subcommands, options, and phases where a phase is expected. bash and zsh share one function, since zsh
 * runs bash completions.
 */
import type { Command } from 'commander';
import { phases } from '../coordination/records.ts';

type Words = { path: string; words: string[] };

const optionsOf = (command: Command): string[] => command.options.flatMap(({ long }) => long ?? []);

const argumentWords = (command: Command): string[] =>
  command.registeredArguments.flatMap((argument) => argument.argChoices ?? (argument.name() === 'phase' ? phases : []));

/** Every command with the words that may follow it, the program itself under the empty path. */
const wordsOf = (command: Command, path = ''): Words[] => {
  const children = command.commands.filter((child) => child.name() !== 'help');
  const own = {
    path,
    words: [...children.map((child) => child.name()), ...argumentWords(command), ...optionsOf(command)],
  };
  return [own, ...children.flatMap((child) => wordsOf(child, `${path} ${child.name()}`.trim()))];
};

const branch = ({ path, words }: Words): string => `    "${path}") words="${words.join(' ')}" ;;`;

const bash = (program: Command): string => `_crossfade() {
  local path="" words="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${COMP_WORDS[i]}" in
      -*) ;;
      *) case " ${wordsOf(program)
        .map(({ path }) => path)
        .filter((path) => path !== '')
        .map((path) => path.replaceAll(' ', '/'))
        .join(' ')} " in
           *" \${path:+$path/}\${COMP_WORDS[i]} "*) path="\${path:+$path/}\${COMP_WORDS[i]}" ;;
         esac ;;
    esac
  done
  case "\${path//\\// }" in
${wordsOf(program).map(branch).join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _crossfade crossfade
`;

export const shells = ['bash', 'zsh'] as const;
export type Shell = (typeof shells)[number];

/** bashcompinit needs compdef, which a start file may not have loaded. */
const zshPrelude = `(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
autoload -Uz bashcompinit && bashcompinit`;

export const completionScript = (program: Command, shell: Shell): string =>
  shell === 'bash' ? bash(program) : `${zshPrelude}\n${bash(program)}`;
