/**
 * What client and server agree on for one connection, written into its URL. Both sides need no more to know every message to come.
 */
import { MAX_MESSAGE_BYTES } from "./message.mjs";
import { Random } from "./random.mjs";

/**
 * What a server does on a connection: `echo` each message; `slow`: the same with pauses; `stream`: sends `after` messages and
 * closes; `close`, `drop`: closes or aborts behind the echo number `after`.
 */
export const KINDS = ["echo", "slow", "stream", "close", "drop"];

const DEFAULTS = { after: 0, minBytes: 0, maxBytes: MAX_MESSAGE_BYTES, code: 1000, reason: "" };

/** The target of a URL. `ends`: "cleanly" with `code` and `reason` on both sides, or "anyhow" where somebody breaks it. */
export function targetOf({ kind, ...plan }) {
  const query = new URLSearchParams({ ...DEFAULTS, ...plan });
  return `/${kind}?${query}`;
}

/**
 * The way back.
 *
 * @param where - Which server, for messages.
 * @returns What the connection's `ws.data` becomes, or undefined when the URL makes no sense.
 */
export function planOf(url, where) {
  const kind = url.pathname.slice(1);
  if (!KINDS.includes(kind)) return undefined;
  const number = (name) => Number(url.searchParams.get(name));
  const seed = number("seed");
  return {
    kind,
    seed,
    after: number("after"),
    minBytes: number("minBytes"),
    maxBytes: number("maxBytes"),
    code: number("code"),
    reason: url.searchParams.get("reason"),
    ends: url.searchParams.get("ends"),
    name: `${where} ${kind} ${seed.toString(16)}`,
    received: 0,
    random: new Random(seed ^ 0x5f5f),
  };
}
