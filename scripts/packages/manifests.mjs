/**
 * What the published package.json files say: that of `ringwire`, and of one package per platform with its prebuilt shim. The one
 * in the checkout is private and names no platform packages: a clone builds its own shim, and must not depend on what npm has.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PLATFORMS } from "../platforms/platform.mjs";
import { ROOT } from "../setup/command.mjs";

/** In the order in which they are published. The words are npm's os and cpu, and the C library. */
export const PLATFORM_NAMES = PLATFORMS.map(({ name }) => name);

/** The package of a platform, as src/runtime/library_search.ts asks for it. */
export const platformPackage = (platform) => `@ringwire/${platform}`;

const readPackage = () => JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));

/** Version of everything that is published. */
export const version = () => readPackage().version;

const REPOSITORY_FIELDS = ["repository", "homepage", "bugs", "author", "keywords"];

/**
 * package.json of `ringwire`.
 *
 * @param platforms - Names of the platforms whose packages belong to it.
 */
export function mainManifest(platforms = PLATFORM_NAMES) {
  const { private: _, scripts: __, allowScripts: ___, devDependencies, ...manifest } = readPackage();
  const exact = Object.fromEntries(platforms.map((name) => [platformPackage(name), manifest.version]));
  return {
    ...manifest,
    // koffi is how Node calls the shim. Optional like the shim itself: what is missing costs io_uring and nothing else.
    optionalDependencies: { ...exact, koffi: devDependencies.koffi },
    publishConfig: { access: "public" },
  };
}

/** package.json of a platform's package. */
export function platformManifest(platform) {
  const { name, version, license, engines, ...rest } = readPackage();
  const [os, cpu, libc] = platform.split("-");
  const kept = REPOSITORY_FIELDS.filter((field) => rest[field] !== undefined);
  return {
    name: platformPackage(platform),
    version,
    description: `The io_uring shim of ${name} for ${os} ${cpu} with ${libc === "gnu" ? "glibc" : "musl"}`,
    license,
    ...Object.fromEntries(kept.map((field) => [field, rest[field]])),
    type: "module",
    sideEffects: false,
    engines,
    os: [os],
    cpu: [cpu],
    libc: [libc === "gnu" ? "glibc" : "musl"],
    exports: {
      ".": { types: "./index.d.ts", default: "./index.js" },
      "./libringwire.so": "./libringwire.so",
      "./package.json": "./package.json",
    },
    files: ["index.js", "index.d.ts", "libringwire.so", "THIRD_PARTY_NOTICES"],
    publishConfig: { access: "public" },
  };
}
