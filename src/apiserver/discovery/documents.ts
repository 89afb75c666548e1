import { createHash } from "node:crypto";
import type { World } from "../cache/world.ts";
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

/** The OpenAPI documents of what is served, each made when first asked for, and again when what it tells of has changed. */
export class Documents {
  readonly #world: Pick<World, "kinds">;
  readonly #v2 = new Map<string, { readonly kinds: readonly KindSpec[]; readonly made: Hashed }>();
  readonly #v3 = new Map<string, Hashed>();
  readonly #schemas = new WeakMap<KindSpec, string>();

  constructor(world: Pick<World, "kinds">) {
    this.#world = world;
  }

  v2(form: "json" | "protobuf"): Hashed {
    const { kinds } = this.#world;
    const known = this.#v2.get(form);
    if (known?.kinds === kinds) return known.made;
    const document = swaggerDocument(kinds, GIT_VERSION);
    const bytes =
      form === "json" ? Buffer.from(JSON.stringify(swaggerJson(document))) : gnosticDocument(document);
    const made = { bytes, hash: hex(bytes) };
    this.#v2.set(form, { kinds, made });
    return made;
  }

  /** The document called `api/v1` or `apis/GROUP/VERSION`; undefined when there is none. */
  v3(name: string): Hashed | undefined {
    const kinds = this.#kindsOf(name);
    if (kinds.length === 0) return undefined;
    const hash = this.hashOf(name);
    const known = this.#v3.get(name);
    if (known?.hash === hash) return known;
    const made = { bytes: Buffer.from(JSON.stringify(openApiV3(kinds, GIT_VERSION))), hash };
    this.#v3.set(name, made);
    return made;
  }

  /** GET /openapi/v3. Hashes follow from what is served and the version, so that the index costs next to nothing to make. */
  index(): object {
    const names = [...new Set(this.#world.kinds.map(documentName))];
    return {
      paths: Object.fromEntries(
        names.map((name) => [name, { serverRelativeURL: `/openapi/v3/${name}?hash=${this.hashOf(name)}` }]),
      ),
    };
  }

  hashOf(name: string): string {
    return hex(
      `${GIT_VERSION} ${name} ${this.#kindsOf(name)
        .map((spec) => this.#identity(spec))
        .join(" ")}`,
    );
  }

  #kindsOf(name: string): readonly KindSpec[] {
    return this.#world.kinds.filter((spec) => documentName(spec) === name);
  }

  /** What a kind's part of a document follows from. */
  #identity(spec: KindSpec): string {
    if (spec.custom === undefined) return spec.definition;
    const known = this.#schemas.get(spec);
    if (known !== undefined) return known;
    const { shortNames, verbs, resource } = spec;
    const made = hex(JSON.stringify([resource, shortNames, verbs, spec.custom.openApi(3)]));
    this.#schemas.set(spec, made);
    return made;
  }
}

function hex(data: string | Uint8Array): string {
  return createHash("sha512").update(data).digest("hex").toUpperCase();
}
