import { createHash } from "node:crypto";
import type { KindSpec } from "../kinds/kind.ts";
import { gnosticDocument } from "./gnostic.ts";
import { swaggerDocument, swaggerJson } from "./openapi-v2.ts";
import { documentName, openApiV3 } from "./openapi-v3.ts";
import { GIT_VERSION } from "./version.ts";

/** A document and the hash of its bytes, in upper-case hex. */
export interface Hashed {
  readonly bytes: Uint8Array;
  readonly hash: string;
}

/** The OpenAPI documents, each made when first asked for and kept. */
export class Documents {
  readonly #kinds: readonly KindSpec[];
  readonly #made = new Map<string, Hashed>();

  constructor(kinds: readonly KindSpec[]) {
    this.#kinds = kinds;
  }

  v2(form: "json" | "protobuf"): Hashed {
    return this.#once(`v2 ${form}`, () => {
      const document = swaggerDocument(this.#kinds, GIT_VERSION);
      return form === "json" ? Buffer.from(JSON.stringify(swaggerJson(document))) : gnosticDocument(document);
    });
  }

  /** The document called `api/v1` or `apis/GROUP/VERSION`; undefined when there is none. */
  v3(name: string): Hashed | undefined {
    const kinds = this.#kinds.filter((spec) => documentName(spec) === name);
    if (kinds.length === 0) return undefined;
    return this.#once(`v3 ${name}`, () => Buffer.from(JSON.stringify(openApiV3(kinds, GIT_VERSION))));
  }

  /** GET /openapi/v3. Hashes follow from what is served and the version, so that the index costs nothing to make. */
  index(): object {
    const names = [...new Set(this.#kinds.map(documentName))];
    return {
      paths: Object.fromEntries(
        names.map((name) => [name, { serverRelativeURL: `/openapi/v3/${name}?hash=${this.hashOf(name)}` }]),
      ),
    };
  }

  hashOf(name: string): string {
    const kinds = this.#kinds.filter((spec) => documentName(spec) === name).map((spec) => spec.definition);
    return hex(`${GIT_VERSION} ${name} ${kinds.join(" ")}`);
  }

  #once(key: string, make: () => Uint8Array): Hashed {
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const bytes = make();
    const made = { bytes, hash: hex(bytes) };
    this.#made.set(key, made);
    return made;
  }
}

function hex(data: string | Uint8Array): string {
  return createHash("sha512").update(data).digest("hex").toUpperCase();
}
