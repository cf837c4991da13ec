/** Types of authority.mjs. */

/** A certificate that the authority of tests has made. */
export interface Identity {
  /** Leaf and intermediate, PEM. */
  readonly cert: string;
  readonly key: string;
  /** Of the key, where it has one. */
  readonly passphrase: string | undefined;
  readonly certFile: string;
  readonly keyFile: string;
  /** SHA-256 of its public key, base64. */
  readonly pin: string;
}

export type IdentityName =
  | "local"
  | "renewed"
  | "rsa"
  | "wildcard"
  | "other"
  | "uriName"
  | "partialWildcard"
  | "expired"
  | "notYetValid"
  | "selfSigned"
  | "wrongHost"
  | "commonName"
  | "weak"
  | "wrongUse"
  | "encrypted"
  | "client"
  | "expiredClient"
  | "selfSignedClient"
  | "byLeaf"
  | "outOfBounds";

/** Why there is no openssl program here; undefined when there is one. */
export declare const NO_OPENSSL: string | undefined;

/** SHA-256 of the public key of a certificate (SubjectPublicKeyInfo), base64. */
export declare function pinOf(pem: string): string;

/** Makes certificates in a folder of its own, with the openssl program. @throws Error where there is none. */
export declare class Authority {
  constructor();
  readonly folder: string;
  /** The root, PEM. */
  readonly root: string;
  readonly rootFile: string;
  /** A root that vouches for nothing that is shown here, PEM. */
  readonly stranger: string;
  readonly strangerFile: string;
  /** The intermediate, PEM. */
  readonly intermediate: string;
  /** A certificate with its chain and key, made when it is first asked for. */
  identity(name: IdentityName): Identity;
  remove(): void;
}
