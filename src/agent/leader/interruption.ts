/**
 * Lets the leader's long work give way: whoever calls `want` is served after the present step at the latest, and cuts that
 * step short. Work that was cut short has not failed. Invariant: requests in quick succession do not starve the work; a
 * step after cut ones is spared for a while, each time longer, until one has run whole.
 */
import type { Runtime } from '../runtime.ts';

type Work = (signal: AbortSignal) => Promise<void>;

/** Pure: how long a step runs whatever is wanted, after so many in a row were cut short. */
export const sparedMs = (cutShort: number): number => (cutShort === 0 ? 0 : Math.min(250 * 2 ** cutShort, 8_000));

export class Interruption {
  readonly #after: Runtime['after'];
  #abort: AbortController | undefined;
  #isSpared = false;
  #cutShort = 0;
  #ranWhole = false;
  #wanted = false;
  #ended = false;

  constructor({ after }: Pick<Runtime, 'after'>) {
    this.#after = after;
  }

  /** Somebody waits for the loop. */
  get wanted(): boolean {
    return this.#wanted;
  }

  /** Somebody waits for the loop, and its present turn has not got its work done. */
  get gaveWay(): boolean {
    return this.#wanted && !this.#ranWhole;
  }

  /** A turn of the loop serves whoever wanted it until now. */
  begin(): void {
    this.#wanted = false;
    this.#ended = false;
    this.#ranWhole = false;
  }

  want(): void {
    this.#wanted = true;
    if (!this.#isSpared) this.#abort?.abort();
  }

  /** The lead ends: nothing is spared. */
  end(): void {
    this.#ended = true;
    this.#isSpared = false;
    this.want();
  }

  /** Work that whoever asked for it can wait for. */
  async run(work: Work): Promise<void> {
    if (!this.#wanted) await this.#carryOut(work);
  }

  /** Work that must get on. */
  async step(work: Work): Promise<void> {
    const leastMs = this.#ended ? 0 : sparedMs(this.#cutShort);
    if (leastMs > 0) this.#ranWhole = await this.#spare(work, leastMs);
    else if (!this.#wanted) this.#ranWhole = await this.#carryOut(work);
    this.#cutShort = this.#ranWhole ? 0 : this.#cutShort + 1;
  }

  async #spare(work: Work, leastMs: number): Promise<boolean> {
    this.#isSpared = true;
    const cancel = this.#after(leastMs, () => {
      this.#isSpared = false;
      if (this.#wanted) this.want();
    });
    try {
      return await this.#carryOut(work);
    } finally {
      cancel();
      this.#isSpared = false;
    }
  }

  /** @returns false when it was cut short */
  async #carryOut(work: Work): Promise<boolean> {
    const abort = new AbortController();
    this.#abort = abort;
    try {
      await work(abort.signal);
    } catch (error) {
      if (!abort.signal.aborted) throw error;
    } finally {
      this.#abort = undefined;
    }
    return !abort.signal.aborted;
  }
}
