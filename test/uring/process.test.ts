import { describe, expect, test } from "vitest";
import { runtime } from "../../src/runtime/detect.ts";
import { library, missing } from "./open_test_transport.ts";
import { runScenario } from "./run_program.ts";

describe.skipIf(missing !== undefined)("a program over io_uring", () => {
  test("ends by itself when nothing was opened", async () => {
    const outcome = await runScenario("nothing", library!);
    expect(outcome).toMatchObject({ code: 0 });
    expect(outcome.output).toContain(`open ${runtime.name} kernel`);
  });

  test("ends by itself when the last socket is closed, without closing the transport", async () => {
    const outcome = await runScenario("closes", library!);
    expect(outcome.output).toContain("echoed");
    expect(outcome.code).toBe(0);
  });

  test("stays alive while a listener is open", async () => {
    const outcome = await runScenario("stays", library!, ["-A"], 1_000);
    expect(outcome.output).toContain("echoed");
    expect(outcome.code).toBeNull();
  });

  test("is told why a 65th ring is refused", async () => {
    const outcome = await runScenario("many", library!);
    expect(outcome.output).toContain("64 are open");
    expect(outcome.output).toContain(
      "ERR_TRANSPORT_UNAVAILABLE Cannot use io_uring: this process has 64 io_uring loops already, which is the limit",
    );
    expect(outcome.code).toBe(0);
  });

  test("may exit with everything open", async () => {
    expect(await runScenario("exits", library!)).toMatchObject({ code: 0 });
  });

  test("dies of an uncaught error in a handler, as programs do", async () => {
    const outcome = await runScenario("throws", library!);
    expect(outcome.output).toContain("thrown on purpose");
    expect(outcome.code).not.toBe(0);
    expect(outcome.code).not.toBeNull();
  });

  test.skipIf(runtime.name !== "deno")(
    "needs --allow-net and --allow-ffi on Deno, and asks for nothing else",
    async () => {
      const outcome = await runScenario("closes", library!, ["--allow-net", "--allow-ffi"]);
      expect(outcome.output).toContain("echoed");
      expect(outcome.code).toBe(0);
    },
  );

  test.skipIf(runtime.name !== "deno")(
    "works on Deno with --allow-ffi alone, says that it cannot sleep, and asks nothing",
    async () => {
      const outcome = await runScenario("closes", library!, ["--allow-ffi"]);
      expect(outcome.output).toContain("echoed");
      expect(outcome.output).toContain("cannot sleep");
      expect(outcome.output).toContain("--allow-net");
      expect(outcome.code).toBe(0);
    },
  );

  test.skipIf(runtime.name !== "deno")("is told on Deno that --allow-ffi is missing", async () => {
    const outcome = await runScenario("closes", library!, ["--allow-net"]);
    expect(outcome.output).toContain("ERR_LIBRARY");
    expect(outcome.output).toContain("--allow-ffi");
    expect(outcome.code).toBe(3);
  });
});
