/** Sessions that clients may resume, by where they were begun and under which settings. */

/** Peers that are remembered. */
const MAX_PEERS = 256;
/** Servers hand out two tickets at a time; more are of use only to who connects several times at once. */
const MAX_TICKETS = 4;

/** A session as the runtime gives it. */
export interface ClientSession {
  readonly bytes: Buffer;
  /** Whether it may be shown once only, so that nobody can tell that two connections are of one client (RFC 8446 §C.4). */
  readonly isSingleUse: boolean;
}

/** Keeps the sessions of the peers seen last. */
export class SessionCache {
  readonly #peers: Map<string, ClientSession[]> = new Map();

  /** @param key - Of peer and settings: whoever was verified less must not open what is verified more. */
  put(key: string, session: ClientSession): void {
    const known = this.#peers.get(key) ?? [];
    this.#peers.delete(key);
    const kept = session.isSingleUse ? [...known.filter((each) => each.isSingleUse), session] : [session];
    this.#peers.set(key, kept.slice(-MAX_TICKETS));
    if (this.#peers.size <= MAX_PEERS) return;
    for (const first of this.#peers.keys()) {
      this.#peers.delete(first);
      break;
    }
  }

  /** The newest session, or undefined. */
  take(key: string): Buffer | undefined {
    const known = this.#peers.get(key);
    const newest = known?.at(-1);
    if (newest?.isSingleUse === true) known?.pop();
    return newest?.bytes;
  }
}
