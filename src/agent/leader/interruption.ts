/**
 * Lets the leader's long work give way: whoever calls `want` is served after the present step at the latest, and cuts that
 * step short. Work that was cut short has not failed.
 */
export class Interruption {
  #abort: AbortController | undefined;
  /** Somebody waits for the loop. */
  wanted = false;

  want(): void {
    this.wanted = true;
    this.#abort?.abort();
  }

  async run(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    if (this.wanted) return;
    const abort = new AbortController();
    this.#abort = abort;
    try {
      await work(abort.signal);
    } catch (error) {
      if (!abort.signal.aborted) throw error;
    } finally {
      this.#abort = undefined;
    }
  }
}
