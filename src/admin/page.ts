/**
 * Serves the dashboard: the files of `dashboard/` as they are, and the chart library from its package. The page itself
 * holds no data and is open like the probes, since a browser can send a token only once a page has asked for it; all
 * that it shows comes from the API. Only files found at the start are served, so no path of a request reaches the disk.
 */
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FastifyInstance } from 'fastify';

const folder = fileURLToPath(new URL('../../dashboard/', import.meta.url));
const library = (file: string): string => createRequire(import.meta.url).resolve(`uplot/dist/${file}`);

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Path of the request to path of the file. */
const pageFiles = (): Map<string, string> => {
  const own = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => types[extname(file)] !== undefined)
    .map((file): [string, string] => [`/assets/${file}`, join(folder, file)]);
  return new Map([
    ...own,
    ['/', join(folder, 'index.html')],
    ['/assets/uplot.js', library('uPlot.esm.js')],
    ['/assets/uplot.css', library('uPlot.min.css')],
  ]);
};

/** @returns the paths that are open to everybody who reaches the port */
export const addPage = (app: FastifyInstance): ReadonlySet<string> => {
  const files = pageFiles();
  for (const [path, file] of files)
    app.get(path, async (_, reply) => reply.type(types[extname(file)] ?? '').send(await readFile(file)));
  return new Set(files.keys());
};
