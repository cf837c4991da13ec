/**
 * npm's registry on this machine: what we publish comes from here, everything else through it from the real one. Optional
 * dependencies resolve as they will for users.
 */
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { capture, tail } from "../setup/command.mjs";
import { tool } from "./tools.mjs";

const START_LIMIT_MS = 30_000;
/** Runs before the registry: its standard input is a pipe of ours, which ends with us, however we end. */
const TETHER = "data:text/javascript,process.stdin.on('end',()=>process.exit()).resume()";

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function configuration(folder) {
  const upstream = capture("npm", ["config", "get", "registry"]).stdout.trim();
  return `storage: ${join(folder, "storage")}
auth:
  htpasswd:
    file: ${join(folder, "users")}
uplinks:
  upstream:
    url: ${upstream}
packages:
  "@ringwire/*":
    access: $all
    publish: $all
  ringwire:
    access: $all
    publish: $all
  "**":
    access: $all
    proxy: upstream
log: { type: stdout, format: pretty, level: warn }
`;
}

/** A registry that runs until it is stopped. */
export class Registry {
  url = "";
  #child = undefined;
  #folder;

  constructor(folder) {
    this.#folder = folder;
  }

  /** Starts it on a free port of the loopback interface. @throws Error when it does not answer in time. */
  async start() {
    mkdirSync(this.#folder, { recursive: true });
    const port = await freePort();
    this.url = `http://127.0.0.1:${port}/`;
    const file = join(this.#folder, "verdaccio.yaml");
    writeFileSync(file, configuration(this.#folder));
    const [program, ...words] = tool("verdaccio/bin/verdaccio");
    const parts = [];
    const tethered = ["--import", TETHER, ...words];
    this.#child = spawn(program, [...tethered, "--config", file, "--listen", `127.0.0.1:${port}`], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream.on("data", (part) => parts.push(part));
    const giveUpMs = performance.now() + START_LIMIT_MS;
    for (;;) {
      const isUp = await fetch(`${this.url}-/ping`).then(
        (answer) => answer.ok,
        () => false,
      );
      if (isUp) return;
      if (performance.now() > giveUpMs || this.#child.exitCode !== null) {
        this.stop();
        throw new Error(`The local registry does not start:\n${tail(Buffer.concat(parts).toString())}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Environment that makes npm, Bun and Deno ask this registry, with caches of their own. */
  environment(folder) {
    return {
      npm_config_registry: this.url,
      NPM_CONFIG_REGISTRY: this.url,
      // npm wants to be somebody before it publishes; the registry lets anybody.
      [`npm_config_//${new URL(this.url).host}/:_authToken`]: "nobody",
      npm_config_audit: "false",
      npm_config_fund: "false",
      npm_config_update_notifier: "false",
      BUN_CONFIG_REGISTRY: this.url,
      BUN_INSTALL_CACHE_DIR: join(folder, "bun-cache"),
      DENO_DIR: join(folder, "deno-cache"),
    };
  }

  stop() {
    this.#child?.kill("SIGKILL");
    this.#child = undefined;
  }
}
