/** How fast a server takes connections: all together, and from one address. */
import { openQueue, readOneRate } from "../limit/rate.js";
import { readRate } from "../limit/rate_limiter.js";
import { TokenBucket } from "../limit/token_bucket.js";
import { checkKnown } from "../options.js";
/** Addresses that are remembered: beyond it the one not seen for the longest time is forgotten. */
const MAX_ADDRESSES = 65_536;
/** @throws TypeError, RangeError for what is unknown or out of range. */
export function readConnectionLimit(given) {
    const where = "connectionLimit of serve";
    checkKnown(where, given, ["total", "perAddress"]);
    const { total, perAddress } = given;
    if (total === undefined && perAddress === undefined) {
        throw new TypeError(`Give ${where} "total", "perAddress" or both`);
    }
    return {
        total: readOneRate(`total of ${where}`, total),
        perAddress: perAddress === undefined ? undefined : readRate(`perAddress of ${where}`, perAddress),
    };
}
/** See the top of this file. One per server. */
export class ConnectionLimiter {
    #total;
    #perAddress;
    #nowMs;
    /** By address or network, the one seen last at the end. */
    #buckets = new Map();
    constructor(limit, engine) {
        this.#total = openQueue(limit.total, engine);
        this.#perAddress = limit.perAddress;
        this.#nowMs = () => engine.runtime.nowMs();
    }
    /** How many addresses are remembered. */
    get addressCount() {
        return this.#buckets.size;
    }
    /** The answer to a connection that comes too fast; undefined for one that is taken, which counts. */
    refusal(address) {
        const nowMs = this.#nowMs();
        const bucket = this.#bucketOf(address, nowMs);
        if (bucket !== undefined && !bucket.has(1, nowMs)) {
            return refusal(429, "Too many connections from this address", bucket.waitMs(1, nowMs));
        }
        if (this.#total?.tryTake(1) === false) {
            return refusal(503, "Too many connections", this.#total.retryAfterMs);
        }
        bucket?.take(1, nowMs);
        return undefined;
    }
    #bucketOf(address, nowMs) {
        if (this.#perAddress === undefined)
            return undefined;
        const from = address();
        if (from === undefined || from.family === "unix")
            return undefined;
        const key = networkOf(from);
        const { perSecond, burst } = this.#perAddress;
        const bucket = this.#buckets.get(key) ?? new TokenBucket(perSecond, burst, nowMs);
        this.#buckets.delete(key);
        this.#buckets.set(key, bucket);
        if (this.#buckets.size > MAX_ADDRESSES) {
            for (const oldest of this.#buckets.keys()) {
                this.#buckets.delete(oldest);
                break;
            }
        }
        return bucket;
    }
}
/** What is one peer: of IPv6 the upper 64 bits, because whoever has one address of a network has all of them (RFC 6177). */
export function networkOf({ host, family }) {
    const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(host);
    if (mapped !== null)
        return mapped[1];
    if (family !== "ipv6")
        return host;
    const [before, after] = host.split("%")[0].split("::");
    const left = before === "" ? [] : before.split(":");
    const right = after === undefined || after === "" ? [] : after.split(":");
    const gap = after === undefined ? 0 : 8 - left.length - right.length;
    const groups = [...left, ...new Array(Math.max(0, gap)).fill("0"), ...right];
    return `${groups
        .slice(0, 4)
        .map((group) => Number.parseInt(group, 16).toString(16))
        .join(":")}::/64`;
}
function refusal(status, reason, retryAfterMs) {
    return { status, reason, headers: [["retry-after", String(Math.max(1, Math.ceil(retryAfterMs / 1_000)))]] };
}
