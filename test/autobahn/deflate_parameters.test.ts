/** The scripted peer's negotiation: its offers are Autobahn's, its answers fit what is offered, and nonsense is found. */

import { expect, test } from "vitest";
import { acceptanceOf, agreementOf, offersOf, type Wish } from "./deflate_parameters.ts";

const NONE: Wish = { noContextTakeover: false, windowBits: 0 };
const FRESH: Wish = { noContextTakeover: true, windowBits: 0 };
const NARROW: Wish = { noContextTakeover: true, windowBits: 9 };
const FULL = { windowBits: 15, hasTakeover: true };

test("offers say what Autobahn's say", () => {
  const any = "permessage-deflate; client_no_context_takeover; client_max_window_bits";
  expect(offersOf([NONE])).toBe(any);
  expect(offersOf([NARROW, FRESH, NONE])).toBe(
    `${any}; server_no_context_takeover; server_max_window_bits=9,${any}; server_no_context_takeover,${any}`,
  );
});

test("an answer means what it says, each direction by itself", () => {
  expect(agreementOf(undefined, [NONE])).toBeUndefined();
  expect(agreementOf("permessage-deflate", [NONE])).toEqual({ client: FULL, server: FULL });
  const answer =
    "permessage-deflate; server_no_context_takeover; server_max_window_bits=8;client_max_window_bits=10";
  expect(agreementOf(answer, [NARROW, NONE])).toEqual({
    client: { windowBits: 10, hasTakeover: true },
    server: { windowBits: 8, hasTakeover: false },
  });
});

test("an answer may fall back to a later offer, and must fit one of them", () => {
  expect(agreementOf("permessage-deflate", [NARROW, NONE])).toEqual({ client: FULL, server: FULL });
  expect(() => agreementOf("permessage-deflate; server_max_window_bits=9", [NARROW])).toThrow(
    /fits no offer/,
  );
});

test("a client gets what it asks for and is asked for the wish", () => {
  const offers =
    "permessage-deflate; server_no_context_takeover; server_max_window_bits=12; client_max_window_bits";
  expect(acceptanceOf(offers, [NARROW])).toEqual({
    answer:
      "permessage-deflate; server_no_context_takeover; server_max_window_bits=12; client_no_context_takeover; " +
      "client_max_window_bits=9",
    agreement: {
      server: { windowBits: 12, hasTakeover: false },
      client: { windowBits: 9, hasTakeover: false },
    },
  });
});

test("a client is not asked for a larger window than it hints at, nor for a window that it does not name", () => {
  const wish: Wish = { noContextTakeover: false, windowBits: 15 };
  expect(acceptanceOf("permessage-deflate; client_max_window_bits=11", [wish])?.answer).toBe(
    "permessage-deflate; client_max_window_bits=11",
  );
  expect(acceptanceOf("permessage-deflate", [wish])).toBeUndefined();
  expect(acceptanceOf("permessage-deflate", [wish, FRESH])?.answer).toBe(
    "permessage-deflate; client_no_context_takeover",
  );
  expect(acceptanceOf(undefined, [NONE])).toBeUndefined();
});

for (const offers of [
  "permessage-deflate; client_max_window_bits=7",
  "permessage-deflate; server_max_window_bits",
  "permessage-deflate; client_max_window_bits; client_max_window_bits=9",
  "permessage-deflate; made_up",
  "permessage-bzip2",
]) {
  test(`the offer ${offers} is nonsense`, () => {
    expect(() => acceptanceOf(offers, [NONE])).toThrow();
  });
}
