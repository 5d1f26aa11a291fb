/** What clients asked for and what they were told: the record that the checker judges. */
export type WriteKind = 'index' | 'create' | 'update' | 'delete';
/**
 * applied: acknowledged. refused: surely not applied. noop: acknowledged, nothing to apply. unknown: no answer, or one
 * that leaves it open.
 */
export type Outcome = 'applied' | 'refused' | 'noop' | 'unknown';
export type WriteItem = {
  readonly kind: WriteKind;
  /** Undefined: the cluster chooses it. */
  readonly id: string | undefined;
  /** Stands in the document, and in no other. */
  readonly marker: string;
  /** The marker that the document must carry for a conditional write to be let through. */
  readonly expects: string | undefined;
  outcome: Outcome | undefined;
  /** How often it was applied and not lost again. */
  applied: number;
};
export type ClientCall = {
  /** Travels as x-opaque-id. */
  readonly name: string;
  readonly items: readonly WriteItem[];
  readonly startedAtMs: number;
  readonly process: string;
  endedAtMs: number | undefined;
};

export class History {
  readonly calls = new Map<string, ClientCall>();

  open(): ClientCall[] {
    return [...this.calls.values()].filter(({ endedAtMs }) => endedAtMs === undefined);
  }

  /** The item of a call that a write belongs to: the n-th of its kind on this document. */
  find(name: string, write: { kind: string; id: string; source: string | undefined }): WriteItem | undefined {
    const items = this.calls.get(name)?.items ?? [];
    const { kind, id, source } = write;
    if (kind === 'delete') return items.find((item) => item.kind === 'delete' && item.id === id);
    return items.find((item) => source?.includes(`"${item.marker}"`) === true && item.kind !== 'delete');
  }
}
