import { expect, test } from "vitest";
import { checkOrigin } from "../../src/protocol/origin.ts";

test("what browsers send as Origin is taken", () => {
  for (const origin of [
    "https://app.example",
    "http://localhost:3000",
    "http://[::1]:8080",
    "chrome-extension://abcdefgh",
    "tauri://localhost",
    "capacitor://localhost",
    "app://.",
    "null",
    "file://",
  ]) {
    checkOrigin(origin);
  }
});

test("what no browser sends is refused, with what was meant", () => {
  const meant: Readonly<Record<string, string>> = {
    "https://app.example/": "https://app.example",
    "https://app.example/path?query": "https://app.example",
    "https://app.example:443": "https://app.example",
    "HTTPS://App.Example": "https://app.example",
    "https://user@app.example": "https://app.example",
    "chrome-extension://abc/page.html": "chrome-extension://abc",
    "ws://app.example": "http://app.example",
    "ws://app.example:80/feed": "http://app.example",
    "wss://app.example": "https://app.example",
    "wss://app.example:8443/": "https://app.example:8443",
  };
  for (const [origin, advice] of Object.entries(meant)) {
    expect(() => checkOrigin(origin), origin).toThrow(TypeError);
    expect(() => checkOrigin(origin), origin).toThrow(`did you mean "${advice}"?`);
  }
  for (const origin of [
    ...["*", "", "app.example", "localhost:3000", "data:text/html,x"],
    ...["https://*.example", "https://*", "wss://*.example", "chrome-extension://*"],
    ...["ftp://a.b", "file://a", "file:///", "data://a", "javascript://a", "blob:https://a.b", "about:blank"],
  ]) {
    expect(() => checkOrigin(origin), origin).toThrow(/an origin looks like/);
  }
});
