/** For tests on NATS servers of their own: skipped on machines where none can be started, and their titles say why. */
import { describe } from 'vitest';
import { whyNoNats } from './services/nats.ts';

export const missingNats = await whyNoNats();
/** For the end of a title. */
export const reasonNats = missingNats === undefined ? '' : ` (skipped: ${missingNats})`;

export const describeOnNats = (title: string, tests: () => void): void => {
  describe.skipIf(missingNats !== undefined)(`${title}${reasonNats}`, tests);
};
