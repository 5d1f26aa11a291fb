/** Links lead somewhere, commands exist with their options, and pages that explain a list of the code have all of it. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { type GateFacts, gateConditions } from '../../../src/agent/leader/gate.ts';
import type { ProgramDeps } from '../../../src/cli/grammar/options.ts';
import { buildProgram } from '../../../src/cli/program.ts';
import { initialPhase } from '../../../src/coordination/records.ts';
import { filesIn, pages, read, root } from './files.ts';

/** As GitHub makes them. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');
const anchorsIn = (text: string): string[] =>
  [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => anchorOf(heading));

/** The problem with a link, if there is one. */
const problemWith = (page: string, link: string): string | undefined => {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? page : join(dirname(page), path);
  if (!existsSync(join(root, target))) return `${page}: ${link} leads nowhere`;
  if (anchor === undefined || anchorsIn(read(target)).includes(anchor)) return undefined;
  return `${page}: ${link} has no such heading`;
};

describe('links', () => {
  it.each(pages())('of %s lead to files and headings that exist', (page) => {
    const links = [...read(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
    const local = links.filter((link) => !/^[a-z]+:/.test(link));
    expect(local.map((link) => problemWith(page, link)).filter((problem) => problem !== undefined)).toEqual([]);
  });
});

const deps = { io: { out: () => undefined, note: () => undefined }, env: {}, version: '0' } as unknown as ProgramDeps;
const program = buildProgram(deps, () => undefined);

type Fenced = { open: string | undefined; lines: string[] };

/** Lines within code blocks that are no YAML or JSON. */
const linesInBlocks = (text: string): string[] =>
  text.split('\n').reduce<Fenced>(
    ({ open, lines }, line) => {
      if (line.startsWith('```')) return { open: open === undefined ? line.slice(3) : undefined, lines };
      const isShell = open !== undefined && !['yaml', 'json'].includes(open);
      return { open, lines: isShell ? [...lines, line] : lines };
    },
    { open: undefined, lines: [] },
  ).lines;

/** Calls of crossfade in code blocks and in inline code, comments taken off. */
const commandLines = (text: string): string[] => {
  const joined = text.replaceAll('\\\n', ' ');
  const inline = [...joined.replace(/^```[\s\S]*?^```/gm, '').matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code);
  return [...linesInBlocks(joined), ...inline]
    .map((line) => line.replace(/\s#.*$/, '').replace(/^.*npm run -s crossfade -- /, 'crossfade '))
    .filter((line) => /^crossfade [a-z]/.test(line));
};

const descend = (words: readonly string[], command: Command): { command: Command; rest: readonly string[] } => {
  const child = command.commands.find((one) => one.name() === words[0]);
  if (child !== undefined) return descend(words.slice(1), child);
  const { _defaultCommandName: usual } = command as unknown as { _defaultCommandName?: string };
  const meant = command.commands.find((one) => one.name() === usual);
  return meant === undefined ? { command, rest: words } : { command: meant, rest: words };
};

const problemWithCommand = (line: string): string | undefined => {
  const words = line.trim().split(/\s+/).slice(1);
  if (words[0] === 'help') return undefined;
  const { command, rest } = descend(words, program);
  if (command === program || command.commands.length > 0) return `${line}: no such command`;
  const known = command.options.flatMap(({ short, long }) => [short, long]);
  const strange = rest.filter((word) => /^--?[a-z]/.test(word) && !known.includes(word));
  return strange.length === 0 ? undefined : `${line}: no option ${strange.join(', ')}`;
};

describe('commands', () => {
  it.each(pages())('shown in %s exist, with their options', (page) => {
    const problems = commandLines(read(page)).map(problemWithCommand);
    expect(problems.filter((problem) => problem !== undefined)).toEqual([]);
  });

  it('are found by this test at all', () => {
    expect(commandLines(read('README.md')).length).toBeGreaterThan(8);
    expect(problemWithCommand('crossfade frobnicate products')).toContain('no such command');
    expect(problemWithCommand('crossfade status --loud')).toContain('no option --loud');
  });
});

const facts: GateFacts = {
  record: initialPhase,
  paused: false,
  stop: false,
  backfillDone: true,
  tail: { hasRun: true, behind: 0, lagSeconds: 0, maxLagSeconds: 3 },
  quarantined: 0,
  sweepPending: false,
  proofAgeSeconds: 0,
  maxProofAgeSeconds: 120,
  verdict: 'promote',
  members: { live: 1, behind: [], outOfReach: [], plainWriters: [] },
  byQuery: [],
  health: { source: 'green', target: 'green' },
  unaccountedGrowing: false,
  unanswered: [],
  alarms: [],
  unsettled: undefined,
  storeConnected: true,
};

describe('docs/safe-to-advance.md', () => {
  it('explains every condition of the gate, and none that does not exist', () => {
    const section = read('docs/safe-to-advance.md').split('## Conditions')[1]?.split(/^## /m)[0] ?? '';
    const explained = [...section.matchAll(/^### (.+)$/gm)].flatMap(([, heading = '']) => heading.split(', '));
    const conditions = gateConditions('cutover', facts).map(({ condition }) => condition);
    expect(explained.toSorted()).toEqual(conditions.toSorted());
  });
});

describe('runbook pages', () => {
  it.each(filesIn('docs/runbook', '.md'))('%s says what it means, where to look and what to do', (page) => {
    expect([...read(page).matchAll(/^#+ (.+)$/gm)].slice(1).map(([, heading]) => heading)).toEqual(['Look', 'Do']);
  });
});
