import { describe, expect, test } from "vitest";
import { RingwireError } from "../../src/errors.ts";
import { Ending } from "../../src/websocket/ending.ts";

describe("ending", () => {
  test("is clean when both have sent a Close frame and nothing broke, and then says what the peer said", () => {
    const ending = new Ending();
    ending.peerClose = { code: 3000, reason: "enough" };
    expect(ending.isAgreed).toBe(false);
    expect(ending.conclude()).toEqual({ code: 1006, reason: "", wasClean: false });
    ending.isCloseSent = true;
    expect(ending.isAgreed).toBe(true);
    expect(ending.conclude()).toEqual({ code: 3000, reason: "enough", wasClean: true });
    ending.failure = new RingwireError("ERR_HANDLER", "A handler threw", { closeCode: 1011 });
    expect(ending.conclude()).toEqual({ code: 1011, reason: "", wasClean: false });
  });

  test("tells each who waits once, and who comes afterwards at once", () => {
    const ending = new Ending();
    const told: string[] = [];
    ending.whenClosed(({ code }) => told.push(`first ${code}`));
    ending.whenClosed(() => ending.whenClosed(() => told.push("inside")));
    const info = ending.conclude();
    expect(told).toEqual([]);
    ending.tell(info);
    ending.tell(info);
    ending.whenClosed((late) => told.push(`late ${late.code}`));
    expect(told).toEqual(["first 1006", "inside", "late 1006"]);
  });
});
