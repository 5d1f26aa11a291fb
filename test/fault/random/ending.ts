/**
 * Once everything is healed: brings the migration to its end as an operator would, without a restart by hand, and says what
 * is wrong with where it stands, with what is on both sides, and with what clients were told.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { exitCode } from '../../../src/exit-codes.ts';
import type { RouteStatus } from '../../../src/fleet/fleet-status.ts';
import { eventually } from '../../support/eventually.ts';
import { check, differing, judgeRead } from '../checker.ts';
import { readAll } from '../documents.ts';
import type { Told } from './client.ts';
import { isOdd, readsAtAuthority, unexplained } from './explain.ts';
import type { Held } from './faults.ts';
import { short, type Stage } from './stage.ts';
import { nameThem, type Workload } from './workload.ts';

const attempts = 4;
const residentMbLimit = 350;

const must = async ({ cli, log, problems }: Stage, ...args: string[]): Promise<void> => {
  const { exit, out, err } = await cli(...args);
  log(`${args.join(' ')}: exit ${exit}: ${short(out + err)}`);
  if (exit !== 0) problems.push(`${args.join(' ')}: exit ${exit}: ${short(out + err)}`);
};

const safe = { advance: 'safeToAdvance', rollback: 'safeToRollBack' } as const;
/** A request that meets a closed gate is refused, though the status a moment ago showed an open one. */
const switchTo = async (stage: Stage, phase: 'target' | 'dual'): Promise<void> => {
  const verb = phase === 'target' ? 'advance' : 'rollback';
  const isOpen = (now: RouteStatus): boolean => now.phase !== phase && now.hold === null && now[safe[verb]].ok;
  for (let tries = 0; tries < attempts; tries++) {
    if (!(await stage.until(isOpen, `the gate for ${verb}`))) return;
    const { exit, out, err } = await stage.cli(verb, stage.slug, '--wait', '--yes');
    stage.log(`${verb}: exit ${exit}: ${short(out + err)}`);
    if (exit === 0) return void (await stage.until((now) => now.phase === phase, phase));
    if (exit === exitCode('refused')) await delay(2_000);
  }
  stage.problems.push(`${verb} did not succeed in ${attempts} attempts`);
};

const bringOn = async (stage: Stage): Promise<void> => {
  const { slug, until, status } = stage;
  const isBefore = (phase: RouteStatus['phase']): boolean => phase === 'off' || phase === 'observe';
  await until(({ leader }) => leader !== null, 'a leader');
  await must(stage, 'route', 'reset', slug);
  await must(stage, 'resume', slug, '--wait', '--yes', '--timeout', '60');
  await until(({ phase, hold, gate }) => hold === null && (gate.length > 0 || isBefore(phase)), 'a settled route');
  if (isBefore(status()!.phase)) await must(stage, 'phase', slug, 'dual');
  if (status()!.phase === 'target') await switchTo(stage, 'dual');
  await switchTo(stage, 'target');
};

const judgeDocuments = async (stage: Stage, { unnamed }: Workload, urls: Record<'source' | 'target', string>) => {
  const { names, recorder } = stage;
  const read = async () => ({
    source: await readAll(urls.source, names.source),
    target: await readAll(urls.target, names.target),
  });
  let documents = await read();
  const equal = async (): Promise<boolean> => {
    documents = await read();
    return differing(documents.source, documents.target).length === 0;
  };
  await eventually(equal, { timeoutMs: 30_000, everyMs: 500 }).catch(() => undefined);
  const twice = nameThem(unnamed, [documents.source, documents.target]);
  return [...twice, ...check({ operations: recorder.operations, ...documents })];
};

const judgeAnswers = (stage: Stage, told: readonly Told[], around: { held: readonly Held[]; healedAt: number }) =>
  told.filter(isOdd).flatMap((one) => {
    const why = unexplained(one, { ...around, seen: stage.seen });
    const at = ((one.from - stage.began) / 1000).toFixed(1);
    return why === undefined ? [] : [`${at} ${one.agent} answered ${one.answer} to ${one.what}, and ${why}`];
  });

const judgeReads = ({ recorder, seen, began }: Stage, { reads }: Workload, held: readonly Held[]): string[] =>
  reads.flatMap((read) => {
    const { told, id } = read;
    const why = judgeRead(recorder.operations, read, readsAtAuthority(told, { held, seen }));
    return why === undefined ? [] : [`${((told.from - began) / 1000).toFixed(1)} ${told.agent} read ${id}: ${why}`];
  });

const judgeMemory = async ({ fleet, log }: Stage): Promise<string[]> => {
  const problems: string[] = [];
  for (const { name, process } of fleet.agents) {
    const text = process === undefined ? '' : await (await fetch(`${process.adminUrl}/metrics`)).text();
    const residentMb = Number(/^crossfade_process_resident_memory_bytes (\S+)/m.exec(text)?.[1]) / 2 ** 20;
    log(`${name}: ${residentMb.toFixed(0)} MB`);
    if (!(residentMb < residentMbLimit)) problems.push(`${name} has ${residentMb.toFixed(0)} MB`);
  }
  return problems;
};

export type Ending = {
  workload: Workload;
  urls: Record<'source' | 'target', string>;
  held: readonly Held[];
  /** When members are to have noticed that everything is healed. */
  healedAt: number;
};

export const bringToEnd = async (stage: Stage, { workload, urls, held, healedAt }: Ending): Promise<void> => {
  const { slug, problems, until } = stage;
  // While a by-query runs no switch begins.
  workload.calm();
  await bringOn(stage);
  await workload.stop();
  await until(({ safeToRollBack }) => safeToRollBack.ok, 'safe to roll back at rest');
  await must(stage, 'verify', slug, '--mode', 'full', '--wait', '--timeout', '120');
  problems.push(...(await judgeDocuments(stage, workload, urls)));
  await must(stage, 'finalize', slug, '--wait', '--yes');
  problems.push(...judgeAnswers(stage, workload.told, { held, healedAt }));
  problems.push(...judgeReads(stage, workload, held));
  problems.push(...(await judgeMemory(stage)));
};
