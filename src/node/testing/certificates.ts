import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Identity {
  readonly cert: string;
  readonly key: string;
}

/** A certificate authority for one test, made with openssl. */
export class TestAuthority implements Disposable {
  readonly #dir = mkdtempSync(join(tmpdir(), "twt-ca-"));
  readonly cert: string;

  constructor() {
    this.#openssl(
      "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout ca.key -out ca.crt -subj /CN=test-ca",
    );
    this.cert = this.#read("ca.crt");
  }

  /** `subject` such as `/O=system:masters/CN=admin`. */
  issue(name: string, subject: string, ip?: string): Identity {
    this.#openssl(
      `req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ${name}.key -out ${name}.csr -subj ${subject}`,
    );
    writeFileSync(join(this.#dir, "ext"), ip ? `subjectAltName=IP:${ip}\n` : "basicConstraints=CA:FALSE\n");
    this.#openssl(
      `x509 -req -in ${name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out ${name}.crt`,
    );
    return { cert: this.#read(`${name}.crt`), key: this.#read(`${name}.key`) };
  }

  [Symbol.dispose](): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #openssl(args: string): void {
    execFileSync("openssl", args.split(" "), { cwd: this.#dir, stdio: "pipe" });
  }

  #read(name: string): string {
    return readFileSync(join(this.#dir, name), "utf8");
  }
}
