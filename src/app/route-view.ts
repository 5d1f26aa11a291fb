/**
 * The routes as this process serves them: those of the store or its cache, or, while neither has answered since the
 * start, those that the aliases on the clusters tell. When none of the three can be read, or what they tell is in doubt,
 * every request is refused: a member never guesses which side holds the authority.
 * Invariant: admission knows a state before any request is planned under it.
 */
import type { AdmissionControl } from '../coordination/admission.ts';
import { type AliasAnswers, statesFromAliases } from '../coordination/authority-from-aliases.ts';
import type { RouteState, RouteStates } from '../coordination/ports.ts';
import type { RouteWatcher } from '../coordination/route-watcher.ts';
import { CrossfadeError } from '../errors.ts';
import { createRouteTable } from '../proxy/route-table.ts';
import type { RouteTable } from '../proxy/types.ts';

export type RouteViewOptions = {
  watcher: Pick<RouteWatcher, 'current' | 'status' | 'onChange'>;
  admission: Pick<AdmissionControl, 'apply'>;
  /** Source and target are one cluster. */
  sameCluster: boolean;
};

export interface RouteView {
  states(): RouteStates;
  state(slug: string): RouteState | undefined;
  table(): RouteTable;
  /** Routes whose authority is not known; while there is one, `refusal` is set. */
  unknownAuthority(): readonly string[];
  /** Those of them that neither store, cache nor aliases tell of. */
  inDoubt(): readonly string[];
  /** Why no request may be carried out now. */
  refusal(): CrossfadeError | undefined;
  /**
   * While nobody has heard of this process it follows no phase by itself: it stays with what it has, and serves that only
   * if `mayServe`.
   */
  standAlone(mayServe: boolean): void;
  /** Takes what has become known since, and stays alone. */
  catchUp(): void;
  /** Follows the routes again. */
  takePart(): void;
  /** What the aliases say; used until the store or the cache has answered. */
  learnFromAliases(answers: AliasAnswers): void;
  onChange(listener: (states: RouteStates) => void): () => void;
}

/** Stands for all routes when not even their names are known. */
const everyRoute = '*';

export const createRouteView = (options: RouteViewOptions): RouteView => new View(options);

class View implements RouteView {
  readonly #watcher: RouteViewOptions['watcher'];
  readonly #admission: RouteViewOptions['admission'];
  readonly #tableOf: (states: RouteStates) => RouteTable;
  readonly #listeners = new Set<(states: RouteStates) => void>();
  #states: RouteStates = new Map();
  #table: RouteTable;
  #unknown: readonly string[] = [everyRoute];
  #alone: { mayServe: boolean } | undefined;
  #offered: AliasAnswers | undefined;
  /** Nothing is refused until the next change; spares each request the question. */
  #settled = false;

  constructor({ watcher, admission, sameCluster }: RouteViewOptions) {
    this.#watcher = watcher;
    this.#admission = admission;
    this.#tableOf = (states) => createRouteTable(states, { sameCluster });
    this.#table = this.#tableOf(this.#states);
    this.#refresh();
    watcher.onChange(() => {
      this.#settled = false;
      this.#refresh();
    });
  }

  states(): RouteStates {
    return this.#states;
  }
  state(slug: string): RouteState | undefined {
    return this.#states.get(slug);
  }
  table(): RouteTable {
    return this.#table;
  }
  unknownAuthority(): readonly string[] {
    return this.#alone?.mayServe === false ? [everyRoute] : this.inDoubt();
  }
  inDoubt(): readonly string[] {
    const { knowledge, withoutSpec } = this.#watcher.status();
    return knowledge === 'unknown' ? this.#unknown : withoutSpec;
  }
  refusal(): CrossfadeError | undefined {
    if (this.#alone !== undefined) return this.#aloneRefusal(this.#alone);
    if (this.#settled) return undefined;
    const unknown = this.inDoubt();
    this.#settled = unknown.length === 0 && this.#watcher.status().knowledge !== 'unknown';
    if (unknown.length === 0) return undefined;
    const which = unknown.includes(everyRoute) ? 'the routes' : unknown.join(', ');
    return new CrossfadeError(
      'AUTHORITY_UNKNOWN',
      `This member cannot tell which side holds the authority of ${which}.`,
    );
  }

  standAlone(mayServe: boolean): void {
    this.#alone = { mayServe };
  }

  catchUp(): void {
    const alone = this.#alone;
    this.takePart();
    this.#alone = alone;
  }

  takePart(): void {
    this.#alone = undefined;
    this.#settled = false;
    if (this.#offered !== undefined) this.learnFromAliases(this.#offered);
    this.#refresh();
  }

  learnFromAliases(answers: AliasAnswers): void {
    if (this.#watcher.status().knowledge !== 'unknown') return;
    if (this.#alone !== undefined) {
      this.#offered = answers;
      return;
    }
    const { states, unknown } = statesFromAliases(answers);
    this.#unknown = unknown.map(({ slug }) => slug);
    this.#take(states);
  }

  onChange(listener: (states: RouteStates) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #aloneRefusal({ mayServe }: { mayServe: boolean }): CrossfadeError | undefined {
    if (mayServe) return undefined;
    return new CrossfadeError(
      'AUTHORITY_UNKNOWN',
      'This member is not yet known to the others and cannot tell whether its phase is the present one.',
    );
  }

  #refresh(): void {
    if (this.#alone !== undefined) return;
    if (this.#watcher.status().knowledge !== 'unknown') this.#take(this.#watcher.current());
  }

  #take(states: RouteStates): void {
    if (states === this.#states) return;
    this.#admission.apply(states);
    this.#states = states;
    this.#table = this.#tableOf(states);
    for (const listener of this.#listeners) listener(states);
  }
}
