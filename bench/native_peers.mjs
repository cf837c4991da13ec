/**
 * The peers that are no JavaScript: libraries of Rust (bench/rust) and uWebSockets (bench/peers/uwebsockets.cpp), built into build/native for the
 * processor at hand. uWebSockets' sources come with a Rust package that carries them, which Cargo.lock pins like the others.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { capture, findProgram, ROOT, tail } from "../scripts/setup/command.mjs";
import { fingerprint, isDone, markDone } from "../scripts/setup/stamp.mjs";

const MANIFEST = "bench/rust/Cargo.toml";
const UWEBSOCKETS = "bench/peers/uwebsockets.cpp";
const UWEBSOCKETS_PACKAGE = "libuwebsockets-sys";
const OUTPUT = join(ROOT, "build/native");
const RUST_OUTPUT = join(OUTPUT, "rust/release");
const STEP = "native-peers";
const INPUTS = ["bench/rust", UWEBSOCKETS, "bench/native_peers.mjs"];
/** Without a link: fetching and compiling takes about two minutes. */
const CARGO_LIMIT_MS = 600_000;

/** Name as it appears in tables, and the program. */
const ECHO_SERVERS = [
  { name: "uWebSockets", program: join(OUTPUT, "uwebsockets"), package: UWEBSOCKETS_PACKAGE },
  { name: "sockudo-ws", program: join(RUST_OUTPUT, "sockudo_ws"), package: "sockudo-ws" },
  { name: "fastwebsockets", program: join(RUST_OUTPUT, "fastwebsockets"), package: "fastwebsockets" },
  {
    name: "tokio-tungstenite",
    program: join(RUST_OUTPUT, "tokio_tungstenite"),
    package: "tokio-tungstenite",
  },
];
const CODECS = ["sockudo-ws", "fastwebsockets", "web-socket", "tokio-tungstenite"];
const CODEC = join(RUST_OUTPUT, "codec");

/** The echo servers that have been built: { name, command }. */
export function nativeEchoServers() {
  return ECHO_SERVERS.filter(({ program }) => existsSync(program)).map(({ name, program }) => ({
    name,
    command: [program],
  }));
}

/** The codecs that have been built: { name, command }. */
export function nativeCodecs() {
  return existsSync(CODEC) ? CODECS.map((name) => ({ name, command: [CODEC, name] })) : [];
}

/** The version of a library, as Cargo.toml pins it. */
export function nativeVersion(name) {
  const wanted = ECHO_SERVERS.find((server) => server.name === name)?.package ?? name;
  const line = readFileSync(join(ROOT, MANIFEST), "utf8")
    .split("\n")
    .find((each) => each.startsWith(`${wanted} = `));
  return /"=([\d.]+)"/.exec(line)?.[1];
}

function cargo(args, options = {}) {
  const home = process.env.HOME ?? "";
  const program = findProgram("cargo") ?? join(home, ".cargo/bin/cargo");
  return capture(program, args, { timeout: CARGO_LIMIT_MS, ...options });
}

/** The folder of a package's sources; asks for the optional ones as well, so that cargo fetches them. */
function packageFolder(name) {
  const words = [
    "metadata",
    "--format-version",
    "1",
    "--locked",
    "--all-features",
    "--manifest-path",
    MANIFEST,
  ];
  const { status, stdout, stderr } = cargo(words);
  if (status !== 0) throw new Error(tail(stderr, 3));
  return dirname(JSON.parse(stdout).packages.find((each) => each.name === name).manifest_path);
}

function compile(program, args) {
  const { status, stderr, error } = capture(program, args, { cwd: OUTPUT, timeout: CARGO_LIMIT_MS });
  if (status !== 0) throw new Error(`${program}: ${tail(stderr || String(error ?? status), 3)}`);
}

/** With epoll, without TLS and compression: what it is fastest with. */
function buildUwebsockets() {
  const sources = join(packageFolder(UWEBSOCKETS_PACKAGE), "uWebSockets");
  const sockets = join(sources, "uSockets/src");
  const flags = [
    "-O3",
    "-march=native",
    "-flto=auto",
    "-w",
    "-DLIBUS_NO_SSL",
    "-DUWS_NO_ZLIB",
    `-I${sockets}`,
  ];
  const files = [sockets, join(sockets, "eventing")].flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith(".c"))
      .map((name) => join(folder, name)),
  );
  compile("gcc", [...flags, "-c", ...files]);
  const objects = files.map((file) => join(OUTPUT, file.replace(/^.*\//, "").replace(/c$/, "o")));
  const echo = join(ROOT, UWEBSOCKETS);
  compile("g++", [
    ...flags,
    "-std=c++20",
    `-I${join(sources, "src")}`,
    echo,
    ...objects,
    "-o",
    "uwebsockets",
  ]);
}

/** Builds what has changed. Returns a reason why that cannot be, or undefined. Without cargo there are no such peers. */
export function buildNativePeers() {
  const state = fingerprint(INPUTS);
  if (isDone(STEP, state) && existsSync(CODEC)) return undefined;
  if (cargo(["--version"]).status !== 0) return "there is no cargo";
  console.log("bench: building the peers in Rust and C++ …");
  mkdirSync(OUTPUT, { recursive: true });
  const words = [
    "build",
    "--release",
    "--locked",
    "--manifest-path",
    MANIFEST,
    "--target-dir",
    join(OUTPUT, "rust"),
  ];
  const flags = `${process.env.RUSTFLAGS ?? ""} -C target-cpu=native`;
  const built = cargo(words, { env: { ...process.env, RUSTFLAGS: flags } });
  if (built.status !== 0) return tail(built.stderr, 5);
  try {
    buildUwebsockets();
  } catch (error) {
    return `uWebSockets: ${error.message}`;
  }
  markDone(STEP, state);
  return undefined;
}
