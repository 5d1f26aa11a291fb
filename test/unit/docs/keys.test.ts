/** docs/keys.md against the builders of keys: every key of the two buckets has its row, and no row is about no key. */
import { describe, expect, it } from 'vitest';
import { partOf } from '../../../scripts/reference.ts';
import { backfillName } from '../../../src/agent/backfill.ts';
import { askResultName, jobStatusName } from '../../../src/coordination/job-status.ts';
import {
  authorityMarker,
  copyAlias,
  epochAlias,
  fenceIndex,
  keys,
  percentKinds,
} from '../../../src/coordination/keys.ts';
import { filesIn, read, tableRows } from './files.ts';

const page = read('docs/keys.md');
const slug = '<slug>';
const listed = (part: string): string[] =>
  tableRows(partOf(page, part) ?? '').map(([key = '']) => key.replaceAll('`', ''));

const constants: Record<string, string> = { backfillName, askResultName, jobStatusName };
/** Names under which the code keeps records of a job. */
const jobNames = (): Set<string> => {
  const calls = filesIn('src', '.ts').flatMap((file) => [
    ...read(file).matchAll(/keys\.job\([\w.#]*[sS]lug, (?:'(\w+)'|(\w+))\)/g),
  ]);
  const names = calls.map(([, literal, constant = '']) => literal ?? constants[constant]);
  return new Set(names.filter((name) => name !== undefined));
};

describe('docs/keys.md', () => {
  it('lists every key of the bucket that lasts', () => {
    const job = [...jobNames()].map((name) => (name === 'quarantine' ? 'quarantine.<owner>' : name));
    const expected = [
      keys.meta,
      keys.config(slug),
      keys.phase(slug),
      ...percentKinds.map((kind) => keys.percent(slug, kind)),
      keys.stop(slug),
      keys.rate(slug),
      keys.ask(slug),
      ...job.map((name) => keys.job(slug, name)),
      keys.evidence(slug, '<boot>'),
      keys.boot(slug, '<boot>'),
      keys.audit(slug, 0).replace(/0$/, '<n>'),
    ];
    expect(listed('config-keys').toSorted()).toEqual(expected.toSorted());
  });

  it('lists every key of the bucket that expires', () => {
    const ofMembers = [keys.heartbeat, keys.claim, keys.watch, keys.traffic, keys.found].map((key) => key('<member>'));
    const expected = [...ofMembers, keys.lease(slug), keys.progress(slug, '<worker>')];
    expect(listed('live-keys').toSorted()).toEqual(expected.toSorted());
  });

  it('knows of no other builder of keys', () => {
    const documented =
      'meta config phase percent stop rate ask job evidence boot audit heartbeat claim progress watch traffic found lease'.split(
        ' ',
      );
    expect(Object.keys(keys).toSorted()).toEqual(documented.toSorted());
  });

  it('names the aliases and the fence as the code does', () => {
    const shown = [epochAlias(slug, 0, 0), copyAlias(slug, 0, 0)].map((alias) => alias.replace(/0$/, '<N>'));
    const marker = authorityMarker(slug, 0, 1).replace('e0', 'e<N>').replace('r1', 'r<R>');
    for (const name of [...shown, marker, fenceIndex]) expect(page).toContain(`\`${name}\``);
  });
});
