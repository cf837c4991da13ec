import { expect, test } from "vitest";
import { hasUserinfo } from "../../src/http/request_target.ts";

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
