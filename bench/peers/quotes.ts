/** What the feeds send: JSON market data of about 300 bytes, alike and never equal, the same for every server. */

/** Messages that a request asks for; bench/load/feed.c counts on it. */
export const REQUESTED: number = 32;

const VENUES = ["XNAS", "XNYS", "BATS", "IEXG", "ARCX"];
/** The parts around the sequence number, made in advance: what is measured is sending, not making text. */
const PARTS: readonly string[] = Array.from({ length: 4_096 }, (_, index) => part(index));

function part(index: number): string {
  const random = (salt: number): number => ((index + 1) * 2_654_435_761 * (salt * 2 + 1)) % 4_294_967_291;
  const bid = 100 + (random(1) % 90_000) / 100;
  const fields = {
    symbol: `RW${String(random(2) % 400).padStart(3, "0")}`,
    venue: VENUES[random(3) % VENUES.length],
    bid: bid.toFixed(2),
    bidSize: (random(4) % 90) * 100,
    ask: (bid + 0.01 + (random(5) % 10) / 100).toFixed(2),
    askSize: (random(6) % 90) * 100,
    last: bid.toFixed(2),
    volume: random(7) % 10_000_000,
    exchangeTime: 1_760_000_000_000_000 + (random(8) % 1_000_000_000),
    receivedTime: 1_760_000_000_000_000 + (random(9) % 1_000_000_000),
    orderId: random(10).toString(36) + random(11).toString(36),
    currency: "USD",
    feed: "SIP",
    conditions: ["@", random(12) % 3 === 0 ? "I" : "F"],
  };
  return JSON.stringify(fields).slice(1);
}

/** The text of a sequence number. @param offset - Feeds of different ones do not send the same texts at the same time. */
export function quote(sequence: number, offset: number = 0): string {
  return `{"type":"quote","sequence":${sequence},${PARTS[(sequence + offset) % PARTS.length]}`;
}
