/** Values as people read them. Pure. Unknown is a dash, never a zero. */

export const unknown = '–';

/** @typedef {number | null | undefined} Maybe */
/** @param {Maybe} value @returns {value is number} */
const known = (value) => value !== null && value !== undefined && Number.isFinite(value);

/** @param {Maybe} value */
export const count = (value) => (known(value) ? Math.round(value).toLocaleString('en') : unknown);

/** Three significant digits, so that a figure keeps its width. @param {Maybe} value */
export const short = (value) => {
  if (!known(value)) return unknown;
  const size = Math.abs(value);
  if (size >= 1e9) return value.toExponential(1);
  if (size >= 1e6) return `${(value / 1e6).toFixed(1)}M`;
  if (size >= 1e4) return `${(value / 1e3).toFixed(size >= 1e5 ? 0 : 1)}k`;
  if (size >= 100) return value.toFixed(0);
  return value.toFixed(size >= 10 ? 1 : 2);
};

/** @param {Maybe} value */
export const milliseconds = (value) => {
  if (!known(value)) return unknown;
  return value >= 1000 ? `${(value / 1000).toFixed(value >= 10_000 ? 0 : 1)} s` : `${short(value)} ms`;
};

/** @param {Maybe} value */
export const seconds = (value) => {
  if (!known(value)) return unknown;
  if (value < 120) return `${value < 10 ? value.toFixed(1) : Math.round(value)} s`;
  return value < 7200 ? `${Math.round(value / 60)} min` : `${(value / 3600).toFixed(1)} h`;
};

/** @param {Maybe} value */
export const percent = (value) => (known(value) ? `${Number(value.toFixed(3))} %` : unknown);

/** @param {Maybe} value */
export const bytes = (value) => {
  if (!known(value)) return unknown;
  if (value < 1024) return `${Math.round(value)} B`;
  return value < 1024 ** 2 ? `${(value / 1024).toFixed(0)} KiB` : `${(value / 1024 ** 2).toFixed(1)} MiB`;
};

/** Date and time of day in UTC, as logs have it. @param {string | undefined} iso */
export const time = (iso) => (iso ? iso.replace('T', ' ').replace(/(\.\d+)?Z$/, '') : unknown);
