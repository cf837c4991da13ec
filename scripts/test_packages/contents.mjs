/** What the tarballs hold, how large they are unpacked, and what the linters of packages say of them. */
import { entryPoints } from "../entry_points.mjs";
import { stageJsr } from "../packages/jsr.mjs";
import { runtimeCommand } from "../runtimes.mjs";
import { capture, tail } from "../setup/command.mjs";
import { tool } from "./tools.mjs";

/**
 * Unpacked bytes: what a user's disk and a container's layers have to carry. The budget of the main package was 300 KB once: that is its
 * JavaScript alone, minified. A third more is declarations, which are mostly what editors show about each name.
 */
const MAIN_LIMIT_BYTES = 460_000;
const PLATFORM_LIMIT_BYTES = 6_000_000;
const PLATFORM_FILES = [
  "LICENSE",
  "README.md",
  "THIRD_PARTY_NOTICES",
  "index.d.ts",
  "index.js",
  "libringwire.so",
  "package.json",
];
const MAIN_FILE = /^(package\.json|README\.md|LICENSE|CHANGELOG\.md|dist\/[\w/.-]+\.(js|d\.ts))$/;

const inKilobytes = (bytes) => `${(bytes / 1000).toFixed(0)} KB`;

function checkSize({ packedBytes, unpackedBytes }, limitBytes) {
  const text = `${inKilobytes(unpackedBytes)} unpacked, ${inKilobytes(packedBytes)} to download`;
  if (unpackedBytes > limitBytes) throw new Error(`${text}, more than ${inKilobytes(limitBytes)}`);
  return text;
}

function lint(words, folder) {
  const [program, ...args] = words;
  const result = capture(program, args, { cwd: folder, env: { ...process.env, NO_COLOR: "1" } });
  if (result.status !== 0) throw new Error(tail(`${result.stdout}${result.stderr}`, 30));
}

export async function testContents({ report, packages, folder }) {
  for (const each of packages) {
    const { name, files, tarball, platform } = each;
    await report.try("npm pack", name, () => {
      const foreign =
        platform === undefined ? files.filter((file) => !MAIN_FILE.test(file)) : differences(files);
      if (foreign.length > 0) throw new Error(`unexpected or missing: ${foreign.join(", ")}`);
      return checkSize(each, platform === undefined ? MAIN_LIMIT_BYTES : PLATFORM_LIMIT_BYTES);
    });
    await report.try("publint", name, () =>
      lint([...tool("publint/src/cli.js"), tarball, "--strict"], folder),
    );
  }
  const main = packages.find(({ platform }) => platform === undefined);
  await report.try("attw", `${main.name}, profile esm-only`, () =>
    lint([...tool("@arethetypeswrong/cli/dist/index.js"), main.tarball, "--profile", "esm-only"], folder),
  );
  await report.try("deno", "deno publish --dry-run", () => {
    lint([runtimeCommand("deno")[0], "publish", "--dry-run", "--allow-dirty"], stageJsr());
    return `${entryPoints().length} entry points, no slow types`;
  });
}

function differences(files) {
  const missing = PLATFORM_FILES.filter((file) => !files.includes(file));
  return [...missing, ...files.filter((file) => !PLATFORM_FILES.includes(file))];
}
