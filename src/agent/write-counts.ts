/**
 * This member's side of the ledger for one route: per index, how many authority writes of the present reign have had
 * their copy acknowledged, and how many were left to the tail. Each write counts once, whichever copy carried its
 * content to the follower. Counts of an older reign are void: a switch starts them again at zero. Only acknowledged
 * copies prove anything; those that were left merely tell that the write was not a foreign one.
 */
export class WriteCounts {
  #reign = 0;
  #counts: number[] = [];
  #left: number[] = [];

  /** Enters a reign if it is newer than the known one; an older one changes nothing. */
  enter(reign: number): void {
    if (reign <= this.#reign) return;
    this.#reign = reign;
    this.#counts = [];
    this.#left = [];
  }

  acknowledge(reign: number, ordinal: number): void {
    this.enter(reign);
    if (reign === this.#reign) this.#counts[ordinal] = (this.#counts[ordinal] ?? 0) + 1;
  }

  leave(reign: number, ordinal: number, writes = 1): void {
    this.enter(reign);
    if (reign === this.#reign) this.#left[ordinal] = (this.#left[ordinal] ?? 0) + writes;
  }

  /** `indices` = how many the route has, so that untouched ones show as 0. */
  report(indices: number): { reign: number; ledger: number[]; left: number[] } {
    const length = Math.max(indices, this.#counts.length, this.#left.length);
    const whole = (counts: readonly number[]) => Array.from({ length }, (_, i) => counts[i] ?? 0);
    return { reign: this.#reign, ledger: whole(this.#counts), left: whole(this.#left) };
  }
}
