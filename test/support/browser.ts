/**
 * A real headless Chromium for tests of the dashboard: the one that CROSSFADE_TEST_CHROMIUM names, else one on the PATH,
 * else the one inside an npm package, so that the tests run wherever `npm ci` did. Reaches nothing but this host.
 */
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import packed, { inflate } from '@sparticuz/chromium';
import { type Browser, chromium } from 'playwright-core';

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const flags = [
  ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
  ...['--disable-component-update', '--disable-sync'],
];

const onPath = (): string | undefined =>
  (process.env['PATH'] ?? '')
    .split(delimiter)
    .flatMap((folder) => names.map((name) => join(folder, name)))
    .find((file) => existsSync(file));

type Found = { executablePath: string; env: Record<string, string> };

/** The package brings the libraries of the browser along; a bare machine has not all of them. */
const unpacked = async (): Promise<Found> => {
  const executablePath = await packed.executablePath();
  const bin = join(dirname(fileURLToPath(import.meta.resolve('@sparticuz/chromium'))), '..', 'bin');
  const libraries = await inflate(join(bin, 'al2023.tar.br'));
  return { executablePath, env: { LD_LIBRARY_PATH: join(libraries, 'lib') } };
};

const find = async (): Promise<Found> => {
  const installed = process.env['CROSSFADE_TEST_CHROMIUM'] ?? onPath();
  return installed === undefined ? unpacked() : { executablePath: installed, env: {} };
};

/** Why there is no browser here; undefined when there should be one. The package holds a browser for one kind of machine. */
export const noBrowser = (): string | undefined =>
  (process.env['CROSSFADE_TEST_CHROMIUM'] ?? onPath()) === undefined &&
  (process.platform !== 'linux' || process.arch !== 'x64')
    ? `no Chromium on the PATH, and the packed one is not for ${process.platform} ${process.arch}; set CROSSFADE_TEST_CHROMIUM`
    : undefined;

export const launchBrowser = async (): Promise<Browser> => {
  const { executablePath, env } = await find();
  const path = { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? tmpdir() };
  // Without a locale Chromium speaks one that its own Intl does not know.
  return chromium.launch({ executablePath, args: flags, env: { ...path, LANG: 'en_US.UTF-8', ...env } });
};
