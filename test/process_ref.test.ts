import { expect, test } from "vitest";
import { ProcessRef } from "../src/process_ref.ts";

test("the process is kept alive once for all who wait, until the last one goes or nothing will come", () => {
  const log: string[] = [];
  const ref = new ProcessRef(() => {
    log.push("alive");
    return () => void log.push("may end");
  });
  ref.ref();
  ref.ref();
  ref.unref();
  expect(log).toEqual(["alive"]);
  ref.unref();
  ref.ref();
  expect(log).toEqual(["alive", "may end", "alive"]);
  ref.close();
  ref.ref();
  ref.unref();
  ref.unref();
  expect(log).toEqual(["alive", "may end", "alive", "may end"]);
});
