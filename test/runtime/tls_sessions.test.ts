/** Which sessions a client keeps, and which certificates a listener remembers. */

import { expect, test } from "vitest";
import { SessionCache } from "../../src/runtime/tls_sessions.ts";

const session = (text: string, isSingleUse: boolean): { bytes: Buffer; isSingleUse: boolean } => ({
  bytes: Buffer.from(text),
  isSingleUse,
});
const taken = (cache: SessionCache, key: string): string | undefined => cache.take(key)?.toString();

test("tickets of TLS 1.3 are shown once, the newest first, and four are kept", () => {
  const cache = new SessionCache();
  for (let index = 0; index < 6; index++) cache.put("a", session(`${index}`, true));
  expect([1, 2, 3, 4, 5].map(() => taken(cache, "a"))).toEqual(["5", "4", "3", "2", undefined]);
  expect(taken(cache, "b")).toBeUndefined();
});

test("a session of TLS 1.2 serves until there is another", () => {
  const cache = new SessionCache();
  cache.put("a", session("old", false));
  expect([taken(cache, "a"), taken(cache, "a")]).toEqual(["old", "old"]);
  cache.put("a", session("new", true));
  expect([taken(cache, "a"), taken(cache, "a")]).toEqual(["new", undefined]);
});

test("256 peers are remembered, those seen last", () => {
  const cache = new SessionCache();
  for (let index = 0; index < 300; index++) cache.put(`${index}`, session("x", false));
  expect(taken(cache, "43")).toBeUndefined();
  expect(taken(cache, "44")).toBe("x");
  expect(taken(cache, "299")).toBe("x");
});
