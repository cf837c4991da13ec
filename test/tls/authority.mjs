/**
 * A small certificate authority for tests, made with the openssl program in a folder of its own: a root, an intermediate, and what
 * they vouch for. Nothing is made before it is asked for. Plain JavaScript, because the soak needs it on Node 20.
 */
import { execFileSync } from "node:child_process";
import { createHash, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

/** Why there is no openssl program here; undefined when there is one. */
export const NO_OPENSSL = whyNoOpenssl();

function whyNoOpenssl() {
  try {
    const version = execFileSync("openssl", ["version"], { stdio: ["ignore", "pipe", "ignore"] }).toString();
    // "-CA" of "openssl req" came with 3.0.
    return /^OpenSSL ([3-9]|\d\d)/.test(version) ? undefined : `openssl is too old: ${version.trim()}`;
  } catch (error) {
    return `there is no openssl program: install it (Debian: apt-get install openssl) (${error.code})`;
  }
}

const LOCAL = ["DNS:localhost", "IP:127.0.0.1", "IP:::1"];
const DAY_MS = 86_400_000;
const PASSPHRASE = "correct horse battery staple";

/** What can be asked for by name; see `shapeOf` for what is left out. */
const SHAPES = {
  /** What servers of tests show unless they want another. */
  local: {},
  /** The same names with another key: what a server shows after its certificates were renewed. */
  renewed: {},
  rsa: { key: "rsa:2048" },
  wildcard: { names: ["DNS:*.example.test"] },
  other: { names: ["DNS:other.test"] },
  expired: { fromDays: -30, toDays: -1 },
  notYetValid: { fromDays: 1, toDays: 30 },
  selfSigned: { issuer: "itself" },
  wrongHost: { names: ["DNS:elsewhere.test", "IP:192.0.2.1"] },
  /** The right name inside of a URI, where text would not tell it from a name of its own (CVE-2021-44532). */
  uriName: { names: [`DER:${derOfUri("http://x/?, DNS:localhost", "elsewhere.test")}`] },
  /** A wildcard for a part of a label, which nobody has to take (RFC 9525 §6.3). */
  partialWildcard: { names: ["DNS:f*.example.test"] },
  /** The right name where browsers stopped looking for it: not among the alternative names. */
  commonName: { subject: "localhost", names: ["DNS:elsewhere.test"] },
  weak: { key: "rsa:1024" },
  /** For clients, where a server is wanted. */
  wrongUse: { use: "clientAuth" },
  /** Its key needs a passphrase. */
  encrypted: { passphrase: PASSPHRASE },
  client: { use: "clientAuth", names: ["DNS:client.example.test"], subject: "a client" },
  expiredClient: { use: "clientAuth", names: ["DNS:client.example.test"], fromDays: -30, toDays: -1 },
  selfSignedClient: { use: "clientAuth", names: ["DNS:client.example.test"], issuer: "itself" },
  /** Vouched for by the leaf `local`, which is no authority. */
  byLeaf: { issuer: "local" },
  /** Vouched for by an authority that may speak for other names only (RFC 5280 §4.2.1.10). */
  outOfBounds: { issuer: "constrained" },
};

const shapeOf = (name) => ({
  subject: `test ${name}`,
  names: LOCAL,
  key: "ec",
  use: "serverAuth",
  fromDays: 0,
  toDays: 30,
  issuer: "intermediate",
  ...SHAPES[name],
});

const CONFIG = `
[req]
distinguished_name = name
prompt = no
string_mask = utf8only
[name]
[ca]
default_ca = local
[local]
database = index.txt
rand_serial = yes
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
`;

/** See the top of this file. */
export class Authority {
  /** Where everything lies: `NAME.pem` is a chain (without the root), `NAME.key` its key. */
  folder;
  #made = new Map();

  constructor() {
    if (NO_OPENSSL !== undefined) throw new Error(NO_OPENSSL);
    this.folder = mkdtempSync(join(tmpdir(), "ringwire-tls-"));
    writeFileSync(this.#path("openssl.cnf"), CONFIG);
    writeFileSync(this.#path("index.txt"), "");
    this.#authority("root", "root");
  }

  /** The root, PEM: what clients are given as `ca`. */
  get root() {
    return this.#read("root.pem");
  }

  get rootFile() {
    return this.#path("root.pem");
  }

  /** A root that vouches for nothing that is shown here. */
  get strangerFile() {
    this.#once("stranger", () => this.#authority("stranger", "stranger"));
    return this.#path("stranger.pem");
  }

  get stranger() {
    return readFileSync(this.strangerFile, "utf8");
  }

  /** The intermediate, PEM: the end of every chain. */
  get intermediate() {
    return this.#subordinate("intermediate");
  }

  #subordinate(name) {
    this.#once(name, () => this.#authority(name, "root"));
    return this.#read(`${name}.pem`);
  }

  /** A certificate with its chain and its key, made when it is first asked for. */
  identity(name) {
    return this.#once(name, () => this.#issue(name, shapeOf(name)));
  }

  /** Clears up. */
  remove() {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #path(file) {
    return join(this.folder, file);
  }

  #read(file) {
    return readFileSync(this.#path(file), "utf8");
  }

  #once(name, make) {
    if (!this.#made.has(name)) this.#made.set(name, make());
    return this.#made.get(name);
  }

  #run(...words) {
    execFileSync("openssl", words, {
      cwd: this.folder,
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, OPENSSL_CONF: this.#path("openssl.cnf") },
    });
  }

  /** Words that make a key with what is asked for. */
  #newKey(name, key) {
    const kind = key === "ec" ? ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"] : [key];
    return ["-newkey", ...kind, "-noenc", "-keyout", `${name}.key`];
  }

  #authority(name, issuer) {
    const by = name === issuer ? [] : ["-CA", `${issuer}.pem`, "-CAkey", `${issuer}.key`];
    const path = issuer === name ? "" : ",pathlen:0";
    const bounds =
      name === "constrained" ? ["-addext", "nameConstraints=critical,permitted;DNS:example.test"] : [];
    const extensions = [
      ...bounds,
      "-addext",
      `basicConstraints=critical,CA:TRUE${path}`,
      "-addext",
      "keyUsage=critical,keyCertSign,cRLSign",
      "-addext",
      "subjectKeyIdentifier=hash",
    ];
    const words = [...this.#newKey(name, "ec"), "-subj", `/CN=test ${name}`, ...by, ...extensions];
    this.#run("req", "-x509", "-sha256", "-days", "30", ...words, "-out", `${name}.pem`);
  }

  #issue(name, { subject, names, key, use, fromDays, toDays, issuer, passphrase }) {
    let chain = "";
    if (issuer === "intermediate" || issuer === "constrained") chain = this.#subordinate(issuer);
    else if (issuer !== "itself") chain = this.identity(issuer).cert;
    const extensions = [
      "basicConstraints=critical,CA:FALSE",
      "keyUsage=critical,digitalSignature",
      `extendedKeyUsage=${use}`,
      `subjectAltName=${names.join(",")}`,
      "subjectKeyIdentifier=hash",
    ].flatMap((text) => ["-addext", text]);
    const request = [...this.#newKey(name, key), "-subj", `/CN=${subject}`, ...extensions];
    const by = ["-CA", `${issuer}.pem`, "-CAkey", `${issuer}.key`];
    if (fromDays === 0) {
      const signed = issuer === "itself" ? [] : by;
      this.#run(
        "req",
        "-x509",
        "-sha256",
        "-days",
        `${toDays}`,
        ...request,
        ...signed,
        "-out",
        `${name}.leaf`,
      );
    } else {
      // Only "openssl ca" of 3.0 takes dates.
      this.#run("req", "-new", ...request, "-out", `${name}.request`);
      const dates = ["-startdate", dateOf(fromDays), "-enddate", dateOf(toDays)];
      const signed = ["-cert", `${issuer}.pem`, "-keyfile", `${issuer}.key`];
      const files = ["-in", `${name}.request`, "-out", `${name}.leaf`];
      this.#run("ca", "-batch", "-notext", "-outdir", ".", ...dates, ...signed, ...files);
    }
    // Not by "req": its DES is more than Deno can read.
    if (passphrase !== undefined) {
      const key = ["-in", `${name}.key`, "-out", `${name}.locked`];
      this.#run("pkcs8", "-topk8", "-v2", "aes-256-cbc", "-passout", `pass:${passphrase}`, ...key);
      renameSync(this.#path(`${name}.locked`), this.#path(`${name}.key`));
    }
    const leaf = this.#read(`${name}.leaf`);
    writeFileSync(this.#path(`${name}.pem`), leaf + chain);
    return {
      cert: leaf + chain,
      key: this.#read(`${name}.key`),
      passphrase,
      certFile: this.#path(`${name}.pem`),
      keyFile: this.#path(`${name}.key`),
      pin: pinOf(leaf),
    };
  }
}

/** A subjectAltName of a URI and a name, DER, hexadecimal: text would be cut at the comma. */
function derOfUri(uri, name) {
  const element = (tag, bytes) => Buffer.concat([Buffer.from([tag, bytes.length]), bytes]);
  const names = [element(0x86, Buffer.from(uri)), element(0x82, Buffer.from(name))];
  return element(0x30, Buffer.concat(names)).toString("hex");
}

/** Days from now as openssl wants it: YYYYMMDDHHMMSSZ. */
function dateOf(days) {
  const text = new Date(Date.now() + days * DAY_MS).toISOString();
  return `${text.slice(0, 19).replace(/[-:T]/g, "")}Z`;
}

/** SHA-256 of the public key of a certificate (SubjectPublicKeyInfo), base64. */
export function pinOf(pem) {
  const key = new X509Certificate(pem).publicKey.export({ type: "spki", format: "der" });
  return createHash("sha256").update(key).digest("base64");
}
