/** Sessions that clients may resume, by where they were begun and under which settings. */
/** Peers that are remembered. */
const MAX_PEERS = 256;
/** Servers hand out two tickets at a time; more are of use only to who connects several times at once. */
const MAX_TICKETS = 4;
/** Keeps the sessions of the peers seen last. */
export class SessionCache {
    #peers = new Map();
    /** @param key - Of peer and settings: whoever was verified less must not open what is verified more. */
    put(key, session) {
        const known = this.#peers.get(key) ?? [];
        this.#peers.delete(key);
        const kept = session.isSingleUse ? [...known.filter((each) => each.isSingleUse), session] : [session];
        this.#peers.set(key, kept.slice(-MAX_TICKETS));
        if (this.#peers.size <= MAX_PEERS)
            return;
        for (const first of this.#peers.keys()) {
            this.#peers.delete(first);
            break;
        }
    }
    /** The newest session, or undefined. */
    take(key) {
        const known = this.#peers.get(key);
        const newest = known?.at(-1);
        if (newest?.isSingleUse === true)
            known?.pop();
        return newest?.bytes;
    }
}
