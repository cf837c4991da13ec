/** What has to be true before anything is published. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { capture, ROOT } from "../setup/command.mjs";
import { PLATFORM_NAMES, scoped } from "./manifests.mjs";

const read = (path, root) => readFileSync(join(root, path), "utf8");

/** Everything that says which version this is, by where it says so. */
export function statedVersions(root = ROOT) {
  const lock = JSON.parse(read("package-lock.json", root));
  return {
    "package.json": JSON.parse(read("package.json", root)).version,
    "package-lock.json": lock.version,
    "package-lock.json, first package": lock.packages[""].version,
    "deno.json": JSON.parse(read("deno.json", root)).version,
    "src/version.ts": /VERSION: string = "([^"]+)"/.exec(read("src/version.ts", root))?.[1],
  };
}

/** Complaints about versions that differ. */
export function checkVersions(versions) {
  const [[first, version], ...others] = Object.entries(versions);
  return others
    .filter(([, other]) => other !== version)
    .map(([file, other]) => `${file} says version ${other}, ${first} says ${version}`);
}

/** Complaints about the changelog: the version needs an entry that has a date and says something. */
export function checkChangelog(text, version) {
  const sections = text.split(/^## /m).slice(1);
  const section = sections.find((each) => each.split(/[,\s]/, 1)[0] === version);
  if (section === undefined) return [`CHANGELOG.md has no entry for ${version}`];
  const [title, ...body] = section.split("\n");
  const complaints = [];
  if (!/, \d{4}-\d{2}-\d{2}$/.test(title))
    complaints.push(
      `CHANGELOG.md: "${title}" has no date. The day is yours to decide: "${version}, YYYY-MM-DD"`,
    );
  if (!body.some((line) => line.startsWith("- "))) complaints.push(`CHANGELOG.md says nothing of ${version}`);
  return complaints;
}

/** Complaints about what was packed. */
export function checkPackages(packages) {
  const missing = PLATFORM_NAMES.filter((name) => !packages.some(({ platform }) => platform === name));
  return missing.map((name) => `${scoped(name)} has no shim: npm run platforms`);
}

/** Complaints about the checkout. npm signs where a package comes from, and refuses what does not say it. */
export function checkCheckout(root = ROOT) {
  const complaints = [];
  const { repository } = JSON.parse(read("package.json", root));
  if (repository === undefined)
    complaints.push(
      'package.json names no repository, which npm\'s provenance and the links of the README need. The address is yours to decide: "repository": "git+https://HOST/OWNER/NAME.git"',
    );
  const changed = capture("git", ["status", "--porcelain", "--untracked-files=no"], {
    cwd: root,
  }).stdout.trim();
  if (changed !== "") complaints.push(`the checkout has changes that are not committed:\n${changed}`);
  return complaints;
}
