/** What the tarballs hold, how large they are unpacked, and what the linters of packages say of them. */
import { entryPoints } from "../entry_points.mjs";
import { stageJsr } from "../packages/jsr.mjs";
import { scoped } from "../packages/manifests.mjs";
import { runtimeCommand } from "../runtimes.mjs";
import { capture, tail } from "../setup/command.mjs";
import { tool } from "./tools.mjs";

/** What each package has to hold, and how many bytes it may be unpacked: what a user's disk and a container's layers have to carry. */
const MAIN = {
  limitBytes: 300_000,
  required: ["LICENSE", "README.md", "dist/cli.js", ...exported("js"), ...exported("d.ts"), "package.json"],
  // Chunks are called what the bundler calls them.
  allowed: /^dist\/shared\/[\w-]+\.js$/,
};
const TYPES = {
  limitBytes: 140_000,
  required: ["LICENSE", "README.md", ...entryPoints().map(({ stem }) => `${stem}.d.ts`), "package.json"],
  allowed: /^[\w/]+\.d\.ts$/,
};
const CLI = { limitBytes: 40_000, required: ["LICENSE", "README.md", "mod.js", "package.json"] };
const PLATFORM = {
  limitBytes: 6_000_000,
  required: [
    ...["LICENSE", "README.md", "THIRD_PARTY_NOTICES", "index.d.ts", "index.js", "libringwire.so"],
    "package.json",
  ],
};
const EXPECTED = { ringwire: MAIN, [scoped("types")]: TYPES, [scoped("cli")]: CLI };

function exported(ending) {
  return entryPoints().map(({ stem }) => `dist/${stem}.${ending}`);
}

const inKilobytes = (bytes) => `${(bytes / 1000).toFixed(0)} KB`;

function checkContents({ name, files, packedBytes, unpackedBytes }) {
  const { limitBytes, required, allowed } = EXPECTED[name] ?? PLATFORM;
  const missing = required.filter((file) => !files.includes(file));
  const foreign = files.filter((file) => !required.includes(file) && !allowed?.test(file));
  if (missing.length + foreign.length > 0)
    throw new Error(`missing: ${missing.join(", ") || "–"}; unexpected: ${foreign.join(", ") || "–"}`);
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
    const { name, tarball } = each;
    await report.try("npm pack", name, () => checkContents(each));
    await report.try("publint", name, () =>
      lint([...tool("publint/src/cli.js"), tarball, "--strict"], folder),
    );
  }
  // It looks at one package at a time: that of `ringwire` only leads to the other.
  for (const { name, tarball } of packages.filter(({ name }) => [MAIN, TYPES].includes(EXPECTED[name])))
    await report.try("attw", `${name}, profile esm-only`, () =>
      lint([...tool("@arethetypeswrong/cli/dist/index.js"), tarball, "--profile", "esm-only"], folder),
    );
  await report.try("deno", "deno publish --dry-run", () => {
    lint([runtimeCommand("deno")[0], "publish", "--dry-run", "--allow-dirty"], stageJsr());
    return `${entryPoints().length} entry points, no slow types`;
  });
}
