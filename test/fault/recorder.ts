/** Logs what clients asked for and were told. One counter orders beginnings and answers, so that no clock is compared. */
import type { Change, Operation, Outcome, Read } from './checker.ts';

export type Recorded = Operation & { answer: string };

export class Recorder {
  readonly operations: Recorded[] = [];
  #now = 0;

  /** When a read began: what was answered before must be in it. */
  now(): number {
    return this.#now++;
  }

  /** What was read of one document from then on. */
  read({ id, began, value }: Omit<Read, 'ended'>): Read {
    return { id, began, ended: this.#now++, value };
  }

  /** Unknown until settled: a client that never hears anything knows nothing. */
  begin(change: Change): Recorded {
    const operation: Recorded = { ...change, began: this.#now++, ended: 0, outcome: 'unknown', answer: 'none' };
    this.operations.push(operation);
    return operation;
  }

  settle(operation: Recorded, outcome: Outcome, answer: string): void {
    Object.assign(operation, { ended: this.#now++, outcome, answer });
  }

  /** How many operations got which answer, other than acknowledged ones. */
  refusals(since = 0): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { outcome, answer } of this.operations.slice(since))
      if (outcome !== 'acknowledged') counts[answer] = (counts[answer] ?? 0) + 1;
    return counts;
  }
}
