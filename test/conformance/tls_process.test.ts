/** Whole processes with TLS: they end by themselves, warn where they must, and give no secret away. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runtime } from "../../src/runtime/detect.ts";
import { type Outcome, startProgram } from "./processes.ts";
import { authority, honours, onEachSecureTransport } from "./secure.ts";

onEachSecureTransport("a process with TLS", (rig) => {
  /** Plays a scene with everything it may need at hand. */
  async function play(scene: string, environment: Readonly<Record<string, string>> = {}): Promise<Outcome> {
    for (const name of ["local", "rsa", "encrypted", "selfSigned"] as const) authority().identity(name);
    const args = [scene, rig.kind, authority().folder];
    return await startProgram("tls_scenes.mjs", args, { NO_COLOR: "1", ...environment }).end();
  }

  test("ends by itself when its client and server are closed", async () => {
    const { code, output } = await play("closes");
    expect(output).toBe("echo hello\ndone\n");
    expect(code).toBe(0);
  });

  test("says once, with the host, that nothing is verified", async () => {
    const { code, output } = await play("insecure");
    const lines = output.split("\n").filter((line) => line !== "" && line !== "echo hello");
    expect(output.match(/echo hello/g)?.length).toBe(3);
    expect(lines.length, output).toBe(1);
    expect(lines[0]).toContain("rejectUnauthorized");
    expect(lines[0]).toContain("127.0.0.1");
    expect(code).toBe(0);
  });

  test("never prints a key, a passphrase or a session's secret, whatever goes wrong", async () => {
    const keyLog = join(authority().folder, `secrets-${rig.kind}`);
    const { code, output } = await play("secrets", { SSLKEYLOGFILE: keyLog });
    expect(code, output.slice(-2_000)).toBe(0);
    // It was there to be printed.
    for (const seen of ["TypeError", "ERR_TLS_UNKNOWN_ISSUER", "ERR_TLS_HOST_MISMATCH", "ERR_TLS_ALPN"])
      expect(output).toContain(seen);
    expect(output).not.toContain("no error");
    for (const name of ["local", "rsa", "encrypted"] as const) {
      const { key } = authority().identity(name);
      for (const line of key.split("\n").filter((each) => each.length > 20 && !each.startsWith("---")))
        expect(output).not.toContain(line.slice(0, 40));
    }
    expect(output).not.toContain("a passphrase that is wrong");
    if (honours(rig, "keyLogFile")) {
      for (const line of readFileSync(keyLog, "utf8").trimEnd().split("\n"))
        expect(output).not.toContain(line.split(" ")[2]);
    }
  });

  test("writes its keys where SSLKEYLOGFILE says, if the runtime lets it, and nowhere else", async () => {
    const keyLog = join(authority().folder, `environment-${rig.kind}`);
    const { code, output } = await play("logsKeys", { SSLKEYLOGFILE: keyLog });
    expect(code).toBe(0);
    expect(output).toBe("echo hello\n");
    if (!honours(rig, "keyLogFile")) {
      console.warn(`NOT CHECKED: the sockets of ${runtime.name} write no key log`);
      return;
    }
    const lines = readFileSync(keyLog, "utf8").trimEnd().split("\n");
    for (const line of lines) expect(line).toMatch(/^[A-Z_0-9]+ [0-9a-f]{64} [0-9a-f]{64,96}$/);
    const silent = await play("logsKeys");
    expect(silent.output).toBe("echo hello\n");
  });
});
