/**
 * Takes secrets out of text that leaves the process as log line or message. Pure. Fields that hold secrets are left out
 * where they arise; this is the net below: an error of a library, or one that nobody planned for, may quote a password
 * in the middle of a sentence. Known secrets go wherever they stand; of others what looks like credentials goes.
 */
export type Censor = (text: string) => string;

const censored = '[redacted]';
/** Taking out shorter ones would make holes in ordinary words. */
const shortestSecret = 4;

const patterns: readonly (readonly [RegExp, string])[] = [
  // An Authorization header: scheme and credentials. Credentials have a capital or a digit, words of a sentence have not.
  [/\b([Bb]asic|[Bb]earer|[Aa]pi[Kk]ey) +(?=[\w+/.~-]*[A-Z0-9])[\w+/.~-]{6,}=*/g, `$1 ${censored}`],
  [/\bAWS4-HMAC-SHA256 Credential=[^"\\\n]*/g, `AWS4-HMAC-SHA256 ${censored}`],
  // User information of a URL; a password may hold an @ of its own.
  [/(\w:\/\/)[^/\s"'\\]+@/g, `$1${censored}@`],
];

/** As they stand in a JSON text too. */
const formsOf = (secret: string): string[] => [secret, JSON.stringify(secret).slice(1, -1)];

/** `secrets` are asked for each text, since they are read again when their files change; earlier values stay secret. */
export const createCensor = (secrets: readonly (() => string)[] = []): Censor => {
  const known = new Set<string>();
  const remember = (secret: string): void => {
    if (secret.length >= shortestSecret) for (const form of formsOf(secret)) known.add(form);
  };
  return (text) => {
    for (const secret of secrets) remember(secret());
    const withoutKnown = [...known].reduce((rest, secret) => rest.replaceAll(secret, censored), text);
    return patterns.reduce((rest, [pattern, to]) => rest.replace(pattern, to), withoutKnown);
  };
};
