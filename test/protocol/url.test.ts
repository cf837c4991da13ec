import { describe, expect, it } from "vitest";
import { parseWebSocketUrl, writeUnixPath } from "../../src/protocol/url.ts";

const parts = (url: string | URL): unknown[] => {
  const { secure, host, port, hostHeader, target } = parseWebSocketUrl(url);
  return [secure, host, port, hostHeader, target];
};

describe("WebSocket URL", () => {
  it("is split into where to connect and what to ask for", () => {
    expect(parts("ws://feed.example")).toEqual([false, "feed.example", 80, "feed.example", "/"]);
    expect(parts("wss://feed.example/v2?a=b%20c")).toEqual([
      true,
      "feed.example",
      443,
      "feed.example",
      "/v2?a=b%20c",
    ]);
    expect(parts("ws://127.0.0.1:8080/x")).toEqual([false, "127.0.0.1", 8080, "127.0.0.1:8080", "/x"]);
    expect(parts("ws://[::1]:9/")).toEqual([false, "::1", 9, "[::1]:9", "/"]);
    expect(parts("wss://a:443/")).toEqual([true, "a", 443, "a", "/"]);
    expect(parts("http://a/b")).toEqual([false, "a", 80, "a", "/b"]);
    expect(parts("https://a:8443/b")).toEqual([true, "a", 8443, "a:8443", "/b"]);
    expect(parts(new URL("WSS://Feed.Example/Ä"))).toEqual([
      true,
      "feed.example",
      443,
      "feed.example",
      "/%C3%84",
    ]);
  });

  it("may name a Unix socket", () => {
    expect(parts("ws+unix:/run/feed.sock:/v2?a=1")).toEqual([
      false,
      "/run/feed.sock",
      0,
      "localhost",
      "/v2?a=1",
    ]);
    expect(parts("WSS+unix:/run/feed.sock:/v2")).toEqual([true, "/run/feed.sock", 0, "localhost", "/v2"]);
    expect(() => parseWebSocketUrl("wss+unix:")).toThrow(TypeError);
    expect(parts("ws+unix:/run/feed.sock")).toEqual([false, "/run/feed.sock", 0, "localhost", "/"]);
    expect(parts("ws+unix:./feed.sock:")).toEqual([false, "./feed.sock", 0, "localhost", "/"]);
    expect(() => parseWebSocketUrl("ws+unix:")).toThrow(TypeError);
    expect(() => parseWebSocketUrl("ws+unix::/x")).toThrow(TypeError);
  });

  it("names any path of a Unix socket, escaped", () => {
    for (const path of ["/a:b", "/50%", "/a%3Ab", "/a?b#c", "/a b\n", "/ä", "\0feed:1", "/a@b"]) {
      const url = `ws+unix:${writeUnixPath(path)}:/v2`;
      expect([parts(url)[1], parts(url)[4]]).toEqual([path, "/v2"]);
      // What the URL standard makes of it is still the same.
      expect([parts(new URL(url).href)[1], parts(new URL(url).href)[4]]).toEqual([path, "/v2"]);
    }
    expect(parts("ws+unix:/50%off.sock:/")[1]).toBe("/50%off.sock");
    expect(() => parseWebSocketUrl("ws+unix:/a%00b:/")).toThrow(TypeError);
  });

  it("gives its user and password as an Authorization value", () => {
    expect(parseWebSocketUrl("ws://ada:s%C3%A9cret@a/").authorization).toBe("Basic YWRhOnPDqWNyZXQ=");
    expect(parseWebSocketUrl("ws://ada@a/").authorization).toBe("Basic YWRhOg==");
    expect(parseWebSocketUrl("ws://a/").authorization).toBe(undefined);
  });

  it("is refused with a fragment, another scheme, no host, or port 0", () => {
    for (const url of [
      "ws://a/#x",
      "ws://a/#",
      "ftp://a/",
      "file:///a",
      "a/b",
      "",
      "ws://",
      "ws://a:0/",
      "ws://a:99999/",
      "mailto:a@b",
    ]) {
      expect(() => parseWebSocketUrl(url), url).toThrow(TypeError);
    }
  });

  it("never lets a line end through", () => {
    for (const url of ["ws://a/\r\nX:b", "ws+unix:/run/a:/\r\nX:b", "ws://a/?q=\r\nb"]) {
      const { target, hostHeader } = parseWebSocketUrl(url);
      for (const text of [target, hostHeader]) expect(/[\r\n ]/.test(text)).toBe(false);
    }
  });

  it("shows no password in an error, however the URL standard or a slip of the pen put it there (fuzzing, written_head)", () => {
    for (const url of [
      "ws://ada:secret@a/#x",
      "ftp://ada:secret@a/",
      "ws://ada:secret@a:0/",
      "ws:ada:secret@a:0/",
      "ws:/ada:secret@a:0/",
      "ws:\\\\ada:secret@a:0/",
      "wss:///ada:secret@a/#x",
      "ws://ada:secret@@a:0/",
      "ws://ada:se/secret@a",
      "ws://ada:secret@[::1",
      "ada:secret@a",
      "secret@a",
    ]) {
      try {
        parseWebSocketUrl(url);
        expect.unreachable();
      } catch (error) {
        expect(String(error)).not.toContain("secret");
        // The runtimes' own errors quote the whole URL.
        expect((error as Error).cause).toBe(undefined);
        expect(String(error)).toContain("a");
      }
    }
  });
});
