/** How fast a server takes connections: all together, and from one address. */

import type { PermitQueue, RateTerms } from "../limit/permit_queue.ts";
import { openQueue, type Rate, type ReadRate, readOneRate } from "../limit/rate.ts";
import { type RateOptions, readRate } from "../limit/rate_limiter.ts";
import { TokenBucket } from "../limit/token_bucket.ts";
import type { Engine } from "../loop.ts";
import { checkKnown } from "../options.ts";
import type { Refusal } from "../protocol/http_response.ts";
import type { Address } from "../transport.ts";

/** How fast a server takes connections. Behind a proxy all have the proxy's address. */
export interface ConnectionLimit {
  /** Connections per second; more get 503 with Retry-After. @default no limit */
  readonly total?: Rate;
  /** Connections per second from one IPv4 address, or one IPv6 network of 64 bits; more get 429 with Retry-After. @default no limit */
  readonly perAddress?: number | RateOptions;
}

/** A {@linkcode ConnectionLimit} after checking. */
export interface ReadConnectionLimit {
  readonly total: ReadRate | undefined;
  readonly perAddress: RateTerms | undefined;
}

/** Addresses that are remembered: beyond it the one not seen for the longest time is forgotten. */
const MAX_ADDRESSES = 65_536;

/** @throws TypeError, RangeError for what is unknown or out of range. */
export function readConnectionLimit(given: ConnectionLimit): ReadConnectionLimit {
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
  readonly #total: PermitQueue | undefined;
  readonly #perAddress: RateTerms | undefined;
  readonly #nowMs: () => number;
  /** By address or network, the one seen last at the end. */
  readonly #buckets: Map<string, TokenBucket> = new Map();

  constructor(limit: ReadConnectionLimit, engine: Engine) {
    this.#total = openQueue(limit.total, engine);
    this.#perAddress = limit.perAddress;
    this.#nowMs = () => engine.runtime.nowMs();
  }

  /** How many addresses are remembered. */
  get addressCount(): number {
    return this.#buckets.size;
  }

  /** The answer to a connection that comes too fast; undefined for one that is taken, which counts. */
  refusal(address: () => Address | undefined): Refusal | undefined {
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

  #bucketOf(address: () => Address | undefined, nowMs: number): TokenBucket | undefined {
    if (this.#perAddress === undefined) return undefined;
    const from = address();
    if (from === undefined || from.family === "unix") return undefined;
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
export function networkOf({ host, family }: Pick<Address, "host" | "family">): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(host);
  if (mapped !== null) return mapped[1];
  if (family !== "ipv6") return host;
  const [before, after] = host.split("%")[0].split("::");
  const left = before === "" ? [] : before.split(":");
  const right = after === undefined || after === "" ? [] : after.split(":");
  const gap = after === undefined ? 0 : 8 - left.length - right.length;
  const groups = [...left, ...new Array<string>(Math.max(0, gap)).fill("0"), ...right];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":")}::/64`;
}

function refusal(status: number, reason: string, retryAfterMs: number): Refusal {
  return { status, reason, headers: [["retry-after", String(Math.max(1, Math.ceil(retryAfterMs / 1_000)))]] };
}
