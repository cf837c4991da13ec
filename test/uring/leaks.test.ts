import { describe, expect, test } from "vitest";
import { openDescriptors, residentMib } from "../process_memory.ts";
import { Accepting, connectTo, listenLocal, type Recorder, sendText, until } from "../transport/recorder.ts";
import { missing, openTestTransport } from "./open_test_transport.ts";

describe.skipIf(missing !== undefined)("leaks of the io_uring transport", () => {
  test("200 transports, opened and closed with open sockets, leave no descriptor behind", async () => {
    const cycle = async (): Promise<void> => {
      const transport = openTestTransport({}, { receiveArenaBytes: 131_072, sendArenaBytes: 65_536 });
      const listener = await listenLocal(transport, new Accepting());
      connectTo(transport, listener);
      transport.close();
      // The runtime closes its end of the wake-up socket in its own time.
      await new Promise((resolve) => setTimeout(resolve, 1));
    };
    for (let index = 0; index < 5; index++) await cycle();
    const before = openDescriptors();
    for (let index = 0; index < 200; index++) await cycle();
    await until("the descriptors are back", () => openDescriptors() <= before + 4);
  });

  test("5,000 connections, one after another and closed in every way, leave nothing behind", async () => {
    const transport = openTestTransport();
    const accepting = new Accepting({ ended: (at) => at.connection!.close() }, undefined, false);
    const listener = await listenLocal(transport, accepting);
    const run = async (count: number): Promise<void> => {
      const recorders: Recorder[] = [];
      let started = 0;
      const next = (): void => {
        const index = started++;
        if (index >= count) return;
        recorders.push(
          connectTo(transport, listener, {
            opened: (at) => {
              sendText(at.connection!, "x");
              if (index % 3 === 0) at.connection!.abort();
              else if (index % 3 === 1) at.connection!.close();
              else at.connection!.end();
            },
            ended: (at) => at.connection!.close(),
            closed: next,
          }),
        );
      };
      for (let index = 0; index < 50; index++) next();
      await until(
        "all are closed",
        () => recorders.length === count && recorders.every((at) => at.closedCount === 1),
      );
      await until("the servers' ends too", () => transport.stats().connections === 0);
    };
    await run(500);
    const files = openDescriptors();
    const memory = residentMib();
    await run(5_000);
    expect(openDescriptors()).toBeLessThanOrEqual(files + 2);
    expect(residentMib() - memory).toBeLessThan(96);
    transport.close();
  });
});
