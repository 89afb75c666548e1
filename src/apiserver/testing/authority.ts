import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** A certificate authority for one test, made with openssl in `directory` unless that has one. */
export interface Authority {
  readonly ca: string;
  /** The service accounts' key. */
  readonly signer: { readonly privateKey: string; readonly publicKey: string };
  /** A certificate for server and client use; a name that is an address is also its subjectAltName. */
  certificate(name: string, organization: string): KeyPair;
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

export function openAuthority(directory: string): Authority {
  const openssl = (...args: string[]) =>
    execFileSync("openssl", args, { cwd: directory, stdio: ["ignore", "pipe", "pipe"] });
  const read = (name: string) => readFileSync(join(directory, name), "utf8");
  const isNew = !existsSync(join(directory, "sa.pub"));
  if (isNew) makeKeys(openssl);
  let count = 0;
  return {
    ca: read("ca.crt"),
    signer: { privateKey: read("sa.key"), publicKey: read("sa.pub") },
    certificate: (name, organization) => {
      const stem = `leaf${++count}`;
      writeFileSync(
        join(directory, `${stem}.ext`),
        `subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n`,
      );
      openssl(
        "req",
        ...NEW_KEY,
        "-keyout",
        `${stem}.key`,
        "-out",
        `${stem}.csr`,
        "-subj",
        `/O=${organization}/CN=${name}`,
      );
      openssl(
        "x509",
        "-req",
        "-in",
        `${stem}.csr`,
        "-CA",
        "ca.crt",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-out",
        `${stem}.crt`,
        "-days",
        "2",
        "-extfile",
        `${stem}.ext`,
      );
      return { cert: read(`${stem}.crt`), key: read(`${stem}.key`) };
    },
  };
}

function makeKeys(openssl: (...args: string[]) => unknown): void {
  openssl(
    "req",
    "-x509",
    ...NEW_KEY,
    "-keyout",
    "ca.key",
    "-out",
    "ca.crt",
    "-subj",
    "/CN=test-ca",
    "-days",
    "2",
  );
  openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "sa.key");
  openssl("ec", "-in", "sa.key", "-pubout", "-out", "sa.pub");
}
