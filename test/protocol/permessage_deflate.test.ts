import { describe, expect, it } from "vitest";
import { RingwireError } from "../../src/errors.ts";
import {
  answerOffers,
  checkAnswer,
  type DeflateAgreement,
  type DeflateTerms,
  writeOffers,
} from "../../src/protocol/permessage_deflate.ts";

const DEDICATED: DeflateTerms = { takeover: true, windowBits: 15, peerWindowBits: 15 };
const SHARED: DeflateTerms = { takeover: false, windowBits: 15, peerWindowBits: 15 };
const PD = "permessage-deflate";

/** An agreement in short: the answer, then window and takeover of each direction. */
function short(agreement: DeflateAgreement | undefined): unknown {
  if (agreement === undefined) return undefined;
  const { sending, receiving, text } = agreement;
  const side = (each: DeflateAgreement["sending"]): string => `${each.windowBits}${each.takeover ? "+" : ""}`;
  return `${text} | ${side(sending)} ${side(receiving)}`;
}

const answered = (offers: string, terms: DeflateTerms = DEDICATED): unknown =>
  short(answerOffers(offers, terms));

function failure(text: string, terms: DeflateTerms | "nothing" = DEDICATED): RingwireError {
  try {
    checkAnswer(text, terms === "nothing" ? undefined : terms);
  } catch (error) {
    if (error instanceof RingwireError) return error;
    throw error;
  }
  throw new Error(`${text} was accepted`);
}

describe("permessage-deflate, server", () => {
  it("answers a plain offer with what it wants itself", () => {
    expect(answered(PD)).toBe(`${PD} | 15+ 15+`);
    expect(answered(PD, SHARED)).toBe(
      `${PD}; server_no_context_takeover; client_no_context_takeover | 15 15`,
    );
    expect(answered(PD, { ...DEDICATED, windowBits: 9 })).toBe(`${PD}; server_max_window_bits=9 | 9+ 15+`);
  });

  it("keeps to what the client asks for, and says so", () => {
    expect(answered(`${PD}; server_no_context_takeover`)).toBe(`${PD}; server_no_context_takeover | 15 15+`);
    expect(answered(`${PD}; client_no_context_takeover`)).toBe(`${PD}; client_no_context_takeover | 15+ 15`);
    expect(answered(`${PD}; server_max_window_bits=10`)).toBe(`${PD}; server_max_window_bits=10 | 10+ 15+`);
    expect(answered(`${PD}; server_max_window_bits=15`)).toBe(`${PD}; server_max_window_bits=15 | 15+ 15+`);
    expect(answered(`${PD}; server_max_window_bits=12`, { ...DEDICATED, windowBits: 9 })).toBe(
      `${PD}; server_max_window_bits=9 | 9+ 15+`,
    );
    expect(answered(`${PD}; client_max_window_bits=8; server_max_window_bits="8"`)).toBe(
      `${PD}; server_max_window_bits=8; client_max_window_bits=8 | 8+ 8+`,
    );
  });

  it("asks for a smaller window of the client only where the client allows it", () => {
    const terms = { ...DEDICATED, peerWindowBits: 10 };
    expect(answered(`${PD}; client_max_window_bits`, terms)).toBe(
      `${PD}; client_max_window_bits=10 | 15+ 10+`,
    );
    expect(answered(`${PD}; client_max_window_bits=12`, terms)).toBe(
      `${PD}; client_max_window_bits=10 | 15+ 10+`,
    );
    expect(answered(`${PD}; client_max_window_bits=9`, terms)).toBe(
      `${PD}; client_max_window_bits=9 | 15+ 9+`,
    );
    expect(answered(`${PD}; client_max_window_bits`)).toBe(`${PD} | 15+ 15+`);
    // Else it asks it to forget its window, which is as good for our memory.
    expect(answered(PD, terms)).toBe(`${PD}; client_no_context_takeover | 15+ 15`);
  });

  it("takes the first offer that it can meet, of browsers for instance", () => {
    expect(answered(`${PD}; client_max_window_bits`)).toBe(`${PD} | 15+ 15+`);
    expect(
      answered(`${PD}; server_max_window_bits=7, x-other, ${PD}; server_max_window_bits=10, ${PD}`),
    ).toBe(`${PD}; server_max_window_bits=10 | 10+ 15+`);
  });

  const DECLINED = [
    "",
    "x-webkit-deflate-frame",
    "Permessage-Deflate2",
    "__proto__",
    "constructor; toString",
    `${PD}; __proto__`,
    `${PD}; __proto__=8`,
    `${PD}; hasOwnProperty=1`,
    `${PD}; unknown`,
    `${PD}; server_no_context_takeover; server_no_context_takeover`,
    `${PD}; client_no_context_takeover; client_no_context_takeover`,
    `${PD}; client_max_window_bits; client_max_window_bits=10`,
    `${PD}; server_max_window_bits=10; server_max_window_bits=10`,
    `${PD}; server_no_context_takeover=true`,
    `${PD}; client_no_context_takeover=1`,
    `${PD}; server_max_window_bits`,
    `${PD}; a="`,
    `${PD};`,
    ...[
      "7",
      "16",
      "08",
      "010",
      "8.0",
      "1e1",
      "+9",
      "-8",
      "0x9",
      "999999999999999999999",
      "NaN",
      "ten",
    ].flatMap((value) => [
      `${PD}; server_max_window_bits=${value}`,
      `${PD}; client_max_window_bits="${value}"`,
    ]),
  ];

  it("declines, and never fails, what it cannot meet: unknown, repeated or bad parameters", () => {
    for (const offers of DECLINED) expect([offers, answered(offers)]).toEqual([offers, undefined]);
  });
});

describe("permessage-deflate, client", () => {
  it("offers what its options say", () => {
    const none = "server_no_context_takeover; client_no_context_takeover";
    expect(writeOffers(DEDICATED)).toBe(`${PD}; client_max_window_bits`);
    expect(writeOffers(SHARED)).toBe(`${PD}; ${none}; client_max_window_bits`);
  });

  it("has a second offer for servers that cannot choose windows", () => {
    const none = "server_no_context_takeover; client_no_context_takeover";
    expect(writeOffers({ ...DEDICATED, windowBits: 8 })).toBe(
      `${PD}; client_max_window_bits=8, ${PD}; client_max_window_bits`,
    );
    expect(writeOffers({ ...DEDICATED, windowBits: 8, peerWindowBits: 14 })).toBe(
      `${PD}; server_max_window_bits=14; client_max_window_bits=8, ` +
        `${PD}; server_no_context_takeover; client_max_window_bits`,
    );
    expect(writeOffers({ ...SHARED, peerWindowBits: 9 })).toBe(
      `${PD}; ${none}; server_max_window_bits=9; client_max_window_bits, ${PD}; ${none}; client_max_window_bits`,
    );
    const answer = `${PD}; server_no_context_takeover; server_max_window_bits=15`;
    expect(short(checkAnswer(answer, { ...DEDICATED, peerWindowBits: 9 }))).toBe(`${answer} | 15+ 15`);
  });

  it("keeps to the server's answer", () => {
    const agreed = (text: string, terms = DEDICATED): unknown => short(checkAnswer(text, terms));
    expect(agreed("")).toBe(undefined);
    expect(agreed(PD)).toBe(`${PD} | 15+ 15+`);
    for (const [parameters, sides] of [
      ["server_no_context_takeover", "15+ 15"],
      ["client_no_context_takeover", "15 15+"],
      ["server_max_window_bits=9", "15+ 9+"],
      ["client_max_window_bits=9", "9+ 15+"],
      ['server_max_window_bits="8" ; client_max_window_bits=15', "15+ 8+"],
    ]) {
      expect(agreed(`${PD}; ${parameters}`)).toBe(`${PD}; ${parameters} | ${sides}`);
    }
    // What was offered and not confirmed is not relied upon in receiving, and kept to in sending.
    expect(agreed(PD, SHARED)).toBe(`${PD} | 15 15+`);
    expect(agreed(PD, { ...DEDICATED, windowBits: 9, peerWindowBits: 9 })).toBe(`${PD} | 9+ 15+`);
    // A larger window than ours is allowed to us and not used (§7.1.2.2).
    expect(agreed(`${PD}; client_max_window_bits=15`, { ...DEDICATED, windowBits: 9 })).toBe(
      `${PD}; client_max_window_bits=15 | 9+ 15+`,
    );
  });

  const FAILED = [
    "x-other",
    `${PD}, x-other`,
    `x-other, ${PD}`,
    "__proto__",
    `${PD}, ${PD}`,
    `${PD}; unknown`,
    `${PD}; __proto__=1`,
    `${PD}; client_max_window_bits`,
    `${PD}; server_max_window_bits`,
    `${PD}; server_max_window_bits=7`,
    `${PD}; server_max_window_bits=16`,
    `${PD}; client_max_window_bits=08`,
    `${PD}; server_no_context_takeover=1`,
    `${PD}; client_no_context_takeover; client_no_context_takeover`,
    `${PD};`,
    "=",
  ];

  it("fails on every answer that was not offered or is wrong, and names it", () => {
    for (const text of FAILED) {
      const { code, message } = failure(text);
      expect([text, code]).toEqual([text, "ERR_HANDSHAKE_FAILED"]);
      expect(message).toContain("RFC");
    }
    expect(failure(`${PD}; unknown=5`).message).toContain("unknown=5");
    expect(failure("x-other").message).toContain("x-other");
  });

  it("fails when the server wants a larger window than was offered", () => {
    const terms = { ...DEDICATED, peerWindowBits: 10 };
    expect(failure(`${PD}; server_max_window_bits=11`, terms).message).toContain("11");
    expect(short(checkAnswer(`${PD}; server_max_window_bits=10`, terms))).toContain("15+ 10+");
  });

  it("fails when the server compresses though nothing was offered", () => {
    expect(failure(PD, "nothing").message).toContain(PD);
    expect(checkAnswer("", undefined)).toBe(undefined);
  });
});

describe("permessage-deflate, both", () => {
  it("agree on the same windows, whatever both sides want", () => {
    const all: DeflateTerms[] = [];
    for (const takeover of [true, false]) {
      for (const windowBits of [8, 11, 15]) {
        for (const peerWindowBits of [8, 12, 15]) all.push({ takeover, windowBits, peerWindowBits });
      }
    }
    let count = 0;
    for (const client of all) {
      for (const server of all) {
        const theirs = answerOffers(writeOffers(client), server) as DeflateAgreement;
        const ours = checkAnswer(theirs.text, client) as DeflateAgreement;
        // Who receives must keep at least what the other may refer to.
        for (const [from, to] of [
          [ours.sending, theirs.receiving],
          [theirs.sending, ours.receiving],
        ]) {
          expect(to.windowBits).toBeGreaterThanOrEqual(from.windowBits);
          if (from.takeover) expect(to.takeover).toBe(true);
        }
        expect(ours.sending.windowBits).toBeLessThanOrEqual(
          Math.min(client.windowBits, server.peerWindowBits),
        );
        expect(theirs.sending.windowBits).toBeLessThanOrEqual(
          Math.min(server.windowBits, client.peerWindowBits),
        );
        count++;
      }
    }
    expect(count).toBe(18 * 18);
  });
});
