import { expect, test } from "vitest";
import { parseStreamUrl } from "../../src/stream/stream_url.ts";

test.each([
  ["tcp://127.0.0.1:9000", { secure: false, host: "127.0.0.1", port: 9000, name: "127.0.0.1" }],
  ["tls://Venue.Example:4001/", { secure: true, host: "venue.example", port: 4001, name: "venue.example" }],
  ["TCP://[::1]:80", { secure: false, host: "::1", port: 80, name: "::1" }],
  ["tcp://x:443", { secure: false, host: "x", port: 443, name: "x" }],
  ["unix:/run/a b.sock", { secure: false, host: "/run/a b.sock", port: 0, name: "localhost" }],
  ["unix:/run/a%3Ab.sock", { secure: false, host: "/run/a:b.sock", port: 0, name: "localhost" }],
  ["unix:%00feed", { secure: false, host: "\0feed", port: 0, name: "localhost" }],
  ["tls+unix:relative.sock", { secure: true, host: "relative.sock", port: 0, name: "localhost" }],
])("%s is where it says", (text, expected) => {
  expect(parseStreamUrl(text)).toEqual(expected);
});

test.each([
  "tcp://127.0.0.1",
  "tcp://127.0.0.1:0",
  "tcp://127.0.0.1:65536",
  "tcp://host:80/path",
  "tcp://host:80?query",
  "tcp://host:80#fragment",
  "tcp://",
  "unix:",
  "unix:/a\0b",
  "ws://host:80",
  "host:80",
  "",
])("%s is refused", (text) => {
  expect(() => parseStreamUrl(text)).toThrow(TypeError);
});

test("a password is not quoted", () => {
  expect(() => parseStreamUrl("tcp://user:secret@host:80")).toThrow(/"tcp:\/\/host:80": it says more/);
});
