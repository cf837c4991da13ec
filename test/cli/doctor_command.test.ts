/** `ringwire doctor`, from outside. */
import { afterEach, describe, expect, test } from "vitest";
import type { Diagnosis } from "../../src/cli/diagnosis.ts";
import { runtime } from "../../src/runtime/detect.ts";
import { missing } from "../uring/open_test_transport.ts";
import { ChildProgram, killPrograms, runCli } from "./child_program.ts";

afterEach(killPrograms);

describe.skipIf(missing !== undefined)("doctor where io_uring works", () => {
  test("tells what is used and why, for people", async () => {
    const { code, stdout, stderr } = await runCli(["doctor"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain(`${runtime.name} ${runtime.version}`);
    expect(stdout).toMatch(/^C call +\d+\.\d ns; byte loops use \S+$/m);
    expect(stdout).toMatch(/^TLS +OpenSSL 3\.\S+ .*, in the shim$/m);
    expect(stdout).toMatch(/^kernel TLS +(loaded|not used: |\/proc)/m);
    expect(stdout).toMatch(/^transport +uring: kernel \d/m);
    for (const name of ["uring", "native"]) {
      expect(stdout).toMatch(new RegExp(`^${name} +works; one echo takes \\d+ µs`, "m"));
    }
    expect(stdout).toMatch(/^open files +(\d+|unlimited), may be raised to/m);
  });

  test("tells the same as JSON", async () => {
    const { code, stdout } = await runCli(["doctor", "--json"]);
    const report = JSON.parse(stdout) as Diagnosis;
    expect(code).toBe(0);
    expect(report.runtime).toEqual({ name: runtime.name, version: runtime.version });
    expect(report.shim).toMatchObject({ loads: true });
    expect(report.shim.callNs).toBeGreaterThan(0);
    expect(report.shim.callNs).toBeLessThan(10_000);
    expect(report.chosen.transport).toBe("uring");
    expect(report.transports.map(({ name, works }) => [name, works])).toEqual([
      ["uring", true],
      ["native", true],
    ]);
    for (const { echoP50Us } of report.transports) expect(echoP50Us).toBeGreaterThan(0);
  });
});

test("without a shim it says what is missing, and that native sockets work", async () => {
  const environment = { RINGWIRE_LIBRARY: "/nowhere/libringwire.so" };
  const { code, stdout } = await runCli(["doctor", "--json"], "", environment);
  const report = JSON.parse(stdout) as Diagnosis;
  expect(code).toBe(0);
  expect(report.shim).toMatchObject({
    loads: false,
    path: "/nowhere/libringwire.so",
    source: "RINGWIRE_LIBRARY",
  });
  expect(report.chosen.transport).toBe("native");
  expect(report.chosen.reason).toContain("/nowhere/libringwire.so");
  expect(report.transports.map(({ works }) => works)).toEqual([false, true]);
});

test("an environment that makes no sense is told, not ignored", async () => {
  const { code, stdout } = await runCli(["doctor"], "", { RINGWIRE_TRANSPORT: "smoke" });
  expect(code).toBe(1);
  expect(stdout).toMatch(/^transport +none: .*"smoke"/m);
});

test.runIf(runtime.name === "deno")(
  "with --allow-net alone it works, and says what is not permitted",
  async () => {
    const doctor = new ChildProgram("dist/cli.js", ["doctor"], {}, ["--allow-net"]);
    const { code, stdout, stderr } = await doctor.ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^system .+ kernel cannot be read here$/m);
    expect(stdout).toMatch(/^transport +native: .+ run with --allow-ffi$/m);
    expect(stdout).toMatch(/^open files +cannot be read here$/m);
  },
);
