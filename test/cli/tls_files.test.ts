/** TLS on the command line: `ringwire echo --cert` and `ringwire connect wss:`, from outside. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Authority, NO_OPENSSL } from "../tls/authority.mjs";
import { missing } from "../uring/open_test_transport.ts";
import { type ChildProgram, killPrograms, runCli, runEchoed, startCli } from "./child_program.ts";

if (NO_OPENSSL !== undefined)
  console.warn(`SKIPPED: TLS of the command line cannot be tested: ${NO_OPENSSL}`);

const AGREED = /^TLSv1\.3 TLS_[A-Z0-9_]+ resumed=no ktls=(none|tx|rx|tx,rx)$/m;

describe.skipIf(NO_OPENSSL !== undefined)("the command line with TLS", () => {
  let authority: Authority;
  beforeAll(() => {
    authority = new Authority();
  });
  afterAll(() => authority.remove());
  afterEach(killPrograms);

  /** Starts an echo server that shows the certificate for localhost. */
  async function startEcho(...words: string[]): Promise<{ echo: ChildProgram; url: string; ready: string }> {
    const { certFile, keyFile } = authority.identity("local");
    const echo = startCli(["echo", "--port", "0", "--cert", certFile, "--key", keyFile, ...words]);
    const [ready, url] = await echo.output(/^listening (wss:\/\/127\.0\.0\.1:\d+) .*$/m);
    return { echo, url, ready };
  }

  for (const transport of ["uring", "native"] as const) {
    test.skipIf(transport === "uring" && missing !== undefined)(
      `lines come back over wss: on ${transport}, and both ends tell what was agreed on`,
      async () => {
        const { echo, url, ready } = await startEcho("--transport", transport);
        expect(ready).toContain(`transport=${transport} drive=auto tls=on`);
        const words = [url, "--ca", authority.rootFile, "--transport", transport];
        const { code, stdout, stderr } = await runEchoed(words, "a\nb\n");
        expect({ code, stdout }).toEqual({ code: 0, stdout: "a\nb\n" });
        expect(stderr).toMatch(AGREED);
        expect(stderr).toMatch(/^closed 1000$/m);
        echo.signal("SIGTERM");
        const ended = await echo.ended;
        expect(ended.code).toBe(0);
        expect(ended.stderr).toMatch(
          /^connected from 127\.0\.0\.1 port \d+ TLSv1\.3 TLS_\w+ resumed=no ktls=\S+\n$/,
        );
      },
    );
  }

  test("a server that nobody vouches for is refused; --insecure connects and says what that means", async () => {
    const { echo, url } = await startEcho();
    const refused = await runCli(["connect", url], "a\n");
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toMatch(
      /^ringwire: ERR_TLS_(UNKNOWN_ISSUER|SELF_SIGNED): [^\n]+ option --ca\b[^\n]*\n$/,
    );
    const insecure = await runEchoed([url, "--insecure"], "a\n");
    expect(insecure).toMatchObject({ code: 0, stdout: "a\n" });
    expect(insecure.stderr).toMatch(/is not verified/);
    expect(insecure.stderr).toMatch(AGREED);
    echo.signal("SIGTERM");
    expect((await echo.ended).stderr).toMatch(/^refused: ERR_(TLS|CONNECTION)_\w+: [^\n]+$/m);
  });

  test("--client-ca wants a certificate of the client, which --cert and --key show", async () => {
    const { echo, url, ready } = await startEcho("--client-ca", authority.rootFile);
    expect(ready).toContain("tls=client-certificates");
    const without = await runCli(["connect", url, "--ca", authority.rootFile], "a\n");
    expect(without).toMatchObject({ code: 1, stdout: "" });
    expect(without.stderr).toMatch(/ERR_(TLS|CONNECTION)_/);
    const stranger = authority.identity("selfSignedClient");
    const shown = ["--cert", stranger.certFile, "--key", stranger.keyFile];
    expect(await runCli(["connect", url, "--ca", authority.rootFile, ...shown], "a\n")).toMatchObject({
      code: 1,
    });
    const { certFile, keyFile } = authority.identity("client");
    const words = [url, "--ca", authority.rootFile, "--cert", certFile, "--key", keyFile];
    expect(await runEchoed(words, "a\n")).toMatchObject({ code: 0, stdout: "a\n" });
    echo.signal("SIGTERM");
    expect((await echo.ended).stderr).toMatch(/^refused: ERR_TLS_SELF_SIGNED: [^\n]+ option --client-ca\b/m);
  });

  test("another name than the certificate's is refused, --servername names it", async () => {
    const { url } = await startEcho();
    const words = [url, "--ca", authority.rootFile];
    const wrong = await runCli(["connect", ...words, "--servername", "elsewhere.example"], "a\n");
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toMatch(/^ringwire: ERR_TLS_HOST_MISMATCH: .* option --servername$/m);
    expect(await runEchoed([...words, "--servername", "localhost"], "a\n")).toMatchObject({
      code: 0,
      stdout: "a\n",
    });
  });

  test("command lines that make no sense end with 2 and say why, without any of a key", async () => {
    const { certFile, keyFile } = authority.identity("local");
    const other = authority.identity("client");
    const wrong: [words: string[], message: RegExp][] = [
      [["echo", "--cert", certFile], /"--key"/],
      [["echo", "--client-ca", authority.rootFile], /"--cert"/],
      [["echo", "--port", "0", "--cert", "nowhere.pem", "--key", keyFile], /"nowhere\.pem": ENOENT/],
      [["echo", "--port", "0", "--cert", keyFile, "--key", keyFile], /Option "--cert" /],
      [["echo", "--port", "0", "--cert", certFile, "--key", other.keyFile], /Cannot use .*key/],
      [["connect", "ws://127.0.0.1:1", "--ca", authority.rootFile], /Options of TLS are for wss:/],
      [["connect", "wss://127.0.0.1:1", "--ca", keyFile], /Option "--ca" /],
      [["connect", "wss://127.0.0.1:1", "--servername", "a b"], /Option "--servername" /],
      [["connect", "wss://127.0.0.1:1", "--key", keyFile], /"--cert"/],
    ];
    const outcomes = await Promise.all(wrong.map(([words]) => runCli(words)));
    for (const [index, { code, stderr }] of outcomes.entries()) {
      const [words, message] = wrong[index];
      expect(code, words.join(" ")).toBe(2);
      expect(stderr).toMatch(/^ringwire: [^\n]+\n$/);
      expect(stderr).toMatch(message);
      expect(stderr).not.toMatch(/\btls of|"tls"|[A-Za-z0-9+/]{40}/);
    }
  });
});
