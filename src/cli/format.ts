/** Numbers, sizes and times as a person reads them on a terminal. `undefined` is `-`: not known is not zero. */

export const unknownText = '-';

export const count = (value: number | undefined): string =>
  value === undefined ? unknownText : Math.round(value).toLocaleString('en-US');

export const bytes = (value: number): string => {
  if (value < 1000) return `${value} B`;
  const power = Math.min(4, Math.floor(Math.log10(value) / 3));
  return `${(value / 1000 ** power).toFixed(1)} ${['B', 'kB', 'MB', 'GB', 'TB'][power]}`;
};

export const percent = (value: number | undefined): string =>
  value === undefined ? unknownText : `${Math.round(value * 1000) / 1000} %`;

export const milliseconds = (value: number): string =>
  value < 1000 ? `${Math.round(value)} ms` : seconds(value / 1000);

export const seconds = (value: number | undefined): string => {
  if (value === undefined) return unknownText;
  if (value < 10) return `${value.toFixed(1)} s`;
  if (value < 120) return `${Math.round(value)} s`;
  if (value < 7200) return `${Math.round(value / 60)} min`;
  return `${(value / 3600).toFixed(1)} h`;
};

export const yesNo = (value: boolean): string => (value ? 'yes' : 'no');

/** A bar of `size` cells, for terminals only. */
export const bar = (percentDone: number, size = 24): string => {
  const full = Math.round((Math.min(100, Math.max(0, percentDone)) / 100) * size);
  return `[${'#'.repeat(full)}${'.'.repeat(size - full)}]`;
};
