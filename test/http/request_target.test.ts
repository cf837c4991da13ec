import { expect, test } from "vitest";
import { hasUserinfo, targetFault } from "../../src/http/request_target.ts";

test("userinfo is found however the authority is introduced", () => {
  for (const target of [
    "http://a@b/",
    "http://a:c@b/",
    "http://@b/",
    "http:a@b",
    "http:/a@b",
    "http:///a@b",
    "http:\\\\a@b/",
    "HTTPS://b:80@c",
  ]) {
    expect([target, hasUserinfo(target)]).toEqual([target, true]);
  }
});

test("an @ behind the authority is none", () => {
  for (const target of [
    "/a@b",
    "//a@b/",
    "/x:a@b",
    "*",
    "http://b/a@c",
    "http://b?a@c",
    "http://b:80/#a@c",
    "http:",
  ]) {
    expect([target, hasUserinfo(target)]).toEqual([target, false]);
  }
});

test("a target is a path, an http URL, or * for OPTIONS", () => {
  for (const target of ["/", "//x/y", "/a?b#c", "http://x/", "HTTPS://x:1/y", "http://x"]) {
    expect([target, targetFault("GET", target)]).toEqual([target, undefined]);
  }
  expect(targetFault("OPTIONS", "*")).toBeUndefined();
  for (const target of [
    "*",
    "x",
    "x:80",
    ":80",
    "?a",
    "ftp://x/",
    "file:///etc/passwd",
    "data:,x",
    "javascript:x",
  ]) {
    expect(targetFault("GET", target), target).toMatch(/neither a path nor an http URL/);
  }
  for (const target of ["http:a", "http:/a", "https:a", "httpx://a"])
    expect(targetFault("GET", target), target).toBeDefined();
  expect(targetFault("GET", "http://a@b/")).toMatch(/userinfo/);
});
