#!/usr/bin/env node
/**
 * Records made by the kernel (kTLS) against records made by OpenSSL in the process: our echo server on Node, 16 KiB and 64 B, in the
 * virtual machine of scripts/vm, where kernel TLS is. That machine has one CPU, which server and load generator share, a system call
 * takes about 50 µs in it, and its kernel's AES is plain C: what is cheaper there need not be cheaper elsewhere.
 */
import { readFileSync } from "node:fs";
import { release } from "node:os";
import { nodeProgram } from "../scripts/setup/npm_packages.mjs";
import { missingOpenssl, missingVirtualMachine } from "../scripts/setup/proof_tools.mjs";
import { runInVirtualMachine } from "../scripts/vm/virtual_machine.mjs";
import { Authority } from "../test/tls/authority.mjs";
import { median } from "./median.mjs";
import { benchProgram } from "./programs.mjs";
import { Rig } from "./rig.mjs";

const LIMIT_MS = 300_000;
const PAIRS = 5;
const LOADS = {
  "16 KiB, 10 connections, 4 under way": { tls: true, bytes: 16384, connections: 10, "in-flight": 4 },
  "64 B, 20 connections, 16 under way": { tls: true, bytes: 64, connections: 20, "in-flight": 16 },
};

/** How many connections have had the kernel send for them. */
const kernelSends = () => Number(/TlsTxSw\s+(\d+)/.exec(readFileSync("/proc/net/tls_stat", "utf8"))[1]);

async function measure(identity, ktls, load) {
  const before = kernelSends();
  const { command, environment } = benchProgram("node", "bench/peers/ringwire.ts");
  const tls = ["--cert", identity.certFile, "--key", identity.keyFile, "--ktls", ktls];
  const rig = await Rig.start({ name: "node uring", command: [...command, ...tls], environment }, { load });
  const { messagesPerSecond, serverCpuPercent } = await rig.slice({ warmupSeconds: 0.7, seconds: 1.5 });
  await rig.stop();
  if (kernelSends() > before !== (ktls === "on")) throw new Error(`kTLS was to be ${ktls}, and was not`);
  return { rate: messagesPerSecond, serverUs: (serverCpuPercent * 1e4) / messagesPerSecond };
}

/** Inside the virtual machine. */
async function compareAll() {
  const authority = new Authority();
  const identity = authority.identity("local");
  console.log(
    `Linux ${release()} (user-mode-linux), one CPU, node ${process.versions.node}, TLS_AES_128_GCM_SHA256`,
  );
  for (const [name, load] of Object.entries(LOADS)) {
    const runs = { on: [], off: [] };
    for (let pair = 0; pair < PAIRS; pair++) {
      for (const ktls of pair % 2 === 0 ? ["on", "off"] : ["off", "on"]) {
        runs[ktls].push(await measure(identity, ktls, load));
      }
    }
    const ratios = runs.on.map(({ rate }, index) => rate / runs.off[index].rate);
    console.log(`\necho of ${name}:`);
    for (const [ktls, label] of [
      ["on", "kernel TLS"],
      ["off", "user space"],
    ]) {
      const of = (key) => median(runs[ktls].map((run) => run[key]));
      console.log(
        `  ${label}  ${of("rate").toFixed(0).padStart(7)} msg/s  ${of("serverUs").toFixed(1).padStart(6)} µs of the server's CPU each`,
      );
    }
    const [least, most] = [Math.min(...ratios), Math.max(...ratios)];
    console.log(
      `  kernel ÷ user  ${median(ratios).toFixed(2)} (${least.toFixed(2)} – ${most.toFixed(2)}, ${PAIRS} pairs)`,
    );
  }
  authority.remove();
}

if (process.argv.includes("--guest")) {
  await compareAll();
} else {
  const missing = missingOpenssl() ?? missingVirtualMachine();
  const words = [nodeProgram(), "bench/ktls.mjs", "--guest"];
  const { code, complaint } = missing
    ? { code: 1, complaint: missing }
    : await runInVirtualMachine(words, { limitMs: LIMIT_MS });
  if (complaint !== undefined) console.error(complaint);
  process.exitCode = code;
}
