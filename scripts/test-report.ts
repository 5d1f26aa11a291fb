/** What a JSON report of vitest says: how many tests there were, and which files and tests failed. */
import { readFileSync } from 'node:fs';

type Assertion = { status: string; fullName: string };
export type Report = {
  numTotalTests: number;
  testResults: { name: string; status: string; assertionResults: Assertion[] }[];
};

/** undefined when there is none, or none that can be read. */
export const readReport = (file: string): Report | undefined => {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Report;
  } catch {
    return undefined;
  }
};

/** Also files that could not be loaded, or whose preparation failed. */
export const failedFiles = ({ testResults }: Report): string[] =>
  testResults.filter(({ status }) => status === 'failed').map(({ name }) => name);

export const failedTests = ({ testResults }: Report): string[] =>
  testResults
    .filter(({ status }) => status === 'failed')
    .flatMap(({ name, assertionResults }) => {
      const failed = assertionResults.filter(({ status }) => status === 'failed');
      return failed.length === 0 ? [name] : failed.map(({ fullName }) => fullName);
    });
