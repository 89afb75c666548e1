import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Api } from "../api.ts";
import type { KindSpec } from "../kinds/kind.ts";
import { chooseForm, parseClause } from "../request/accept.ts";
import type { Reply } from "../request/reply.ts";
import { isOwnGroup } from "../request/shape.ts";
import { noSuchPath, wrongMethod } from "../status.ts";
import { AGGREGATED_TYPE, aggregatedDiscovery } from "./aggregated.ts";
import { type CatalogVersion, catalogOf } from "./catalog.ts";
import { Documents, type Hashed } from "./documents.ts";
import { apiVersions, groupList, oneGroup, resourceList } from "./legacy.ts";
import { versionBody } from "./version.ts";

interface Exchange {
  readonly request: IncomingMessage;
  readonly reply: Reply;
  readonly query: URLSearchParams;
}

const PATHS = [
  "/.well-known/openid-configuration",
  "/healthz",
  "/livez",
  "/metrics",
  "/openapi/v2",
  "/openapi/v3",
  "/openid/v1/jwks",
  "/readyz",
  "/version",
];
const FOREVER = { "Cache-Control": "public, immutable" };
const PUBLIC_HOUR = { "Cache-Control": "public, max-age=3600" };

/** Everything that is not a resource: discovery, OpenAPI, version, health, token keys. */
export class OtherRoutes {
  readonly #api: Api;
  #catalogOf: { readonly kinds: readonly KindSpec[]; readonly made: readonly CatalogVersion[] } | undefined;
  readonly #documents: Documents;

  constructor(api: Api) {
    this.#api = api;
    this.#documents = new Documents(api.world);
  }

  /** Made again whenever other kinds are served. */
  get #catalog(): readonly CatalogVersion[] {
    const { kinds } = this.#api.world;
    if (this.#catalogOf?.kinds !== kinds) this.#catalogOf = { kinds, made: catalogOf(kinds) };
    return this.#catalogOf.made;
  }

  /** Whether the path is one of ours; if so it is answered. */
  answer(path: string, exchange: Exchange): boolean {
    const [first = "", second = "", third = "", ...rest] = path.split("/").filter((part) => part !== "");
    switch (first) {
      case "":
        exchange.reply.json(200, { paths: this.#paths() });
        return true;
      case "version":
        if (second !== "") throw noSuchPath();
        requireGet(exchange.request);
        exchange.reply.json(200, versionBody());
        return true;
      case "healthz":
      case "livez":
      case "readyz":
        this.#api.health.answer(
          first,
          [second, third, ...rest].filter((part) => part !== "").join("/"),
          exchange,
        );
        return true;
      case "metrics":
        if (second !== "") return false;
        exchange.reply.send(200, this.#api.metrics.expose(), "text/plain; version=0.0.4; charset=utf-8");
        return true;
      case "api":
      case "apis":
        return this.#discovery(
          first,
          [second, third].filter((part) => part !== ""),
          exchange,
        );
      case "openapi":
        return this.#openApi(second, [third, ...rest].filter((part) => part !== "").join("/"), exchange);
      case ".well-known":
      case "openid":
        return this.#keys(path, exchange);
      default:
        return false;
    }
  }

  #discovery(root: "api" | "apis", parts: readonly string[], { request, reply }: Exchange): boolean {
    const body = this.#listing(root, parts);
    if (parts.length === 0) {
      const form = chooseForm(request.headers.accept, new Set(["APIGroupDiscoveryList"]));
      if (form.as === "APIGroupDiscoveryList") {
        const text = JSON.stringify(aggregatedDiscovery(this.#catalog, `/${root}`));
        const etag = `"${createHash("sha512").update(text).digest("hex").toUpperCase()}"`;
        cached(
          { request, reply },
          { body: text, type: AGGREGATED_TYPE, etag, headers: { Vary: "Accept", "Cache-Control": "public" } },
        );
        return true;
      }
    }
    if (body === undefined) {
      const group = root === "api" ? "" : (parts[0] ?? "");
      if (isOwnGroup(this.#api.world.kinds, group)) throw noSuchPath();
      return false;
    }
    if (root === "api" || parts.length === 2) requireGet(request);
    reply.json(200, body, parts.length === 0 ? { Vary: "Accept" } : {});
    return true;
  }

  /** Where else to ask. */
  #paths(): string[] {
    const groups = this.#catalog.flatMap(({ group, version }) =>
      group === "" ? ["/api", `/api/${version}`] : ["/apis", `/apis/${group}`, `/apis/${group}/${version}`],
    );
    return [...new Set([...groups, ...PATHS])].sort();
  }

  #listing(root: "api" | "apis", [first, second]: readonly string[]): object | undefined {
    if (root === "api")
      return first === undefined
        ? apiVersions(this.#api.options.advertise)
        : resourceList(this.#catalog, "", first);
    if (first === undefined) return groupList(this.#catalog);
    return second === undefined ? oneGroup(this.#catalog, first) : resourceList(this.#catalog, first, second);
  }

  #openApi(version: string, name: string, exchange: Exchange): boolean {
    if (version === "v2" && name === "") return this.#swagger(exchange);
    if (version !== "v3") return false;
    if (name === "") {
      exchange.reply.json(200, this.#documents.index());
      return true;
    }
    const found = this.#documents.v3(name);
    if (found === undefined) return false;
    const right = this.#documents.hashOf(name);
    const asked = exchange.query.get("hash");
    if (asked !== null && asked !== right) {
      exchange.reply.send(301, "", "text/plain", { Location: `/openapi/v3/${name}?hash=${right}` });
      return true;
    }
    const nextYear = new Date(this.#api.clock.now() + 365 * 24 * 3_600_000).toUTCString();
    const headers = asked === null ? {} : { ...FOREVER, Expires: nextYear };
    cached(exchange, { body: found.bytes, type: "application/json", etag: `"${right}"`, headers });
    return true;
  }

  #swagger(exchange: Exchange): boolean {
    const form = swaggerForm(exchange.request.headers.accept);
    if (form === undefined) {
      exchange.reply.send(406, "", "text/plain");
      return true;
    }
    const { bytes, hash }: Hashed = this.#documents.v2(form);
    const type =
      form === "json" ? "application/json" : "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
    cached(exchange, { body: bytes, type, etag: `"${hash}"`, headers: { Vary: "Accept" } });
    return true;
  }

  #keys(path: string, { reply }: Exchange): boolean {
    const { tokens, options } = this.#api;
    if (path === "/openid/v1/jwks") {
      reply.send(200, JSON.stringify(tokens.keys.keySet()), "application/jwk-set+json", PUBLIC_HOUR);
      return true;
    }
    if (path !== "/.well-known/openid-configuration") return false;
    reply.json(
      200,
      {
        issuer: options.serviceAccount.issuer,
        jwks_uri: `https://${options.advertise.ip}:${options.advertise.port}/openid/v1/jwks`,
        response_types_supported: ["id_token"],
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: tokens.keys.algorithms,
      },
      PUBLIC_HOUR,
    );
    return true;
  }
}

/** @throws {StatusFault} MethodNotAllowed */
function requireGet({ method }: IncomingMessage): void {
  if (method !== "GET") throw wrongMethod();
}

function swaggerForm(accept = ""): "json" | "protobuf" | undefined {
  if (accept === "") return "json";
  for (const { type } of accept.split(",").map((clause) => parseClause(clause.trim()))) {
    if (/^application\/com\.github\.proto-openapi\.spec\.v2[.@]v1\.0\+protobuf$/.test(type))
      return "protobuf";
    if (type === "application/json" || type === "*/*" || type === "application/*") return "json";
  }
  return undefined;
}

function cached(
  { request, reply }: Pick<Exchange, "request" | "reply">,
  answer: {
    body: string | Uint8Array;
    type: string;
    etag: string;
    headers: Readonly<Record<string, string>>;
  },
): void {
  const headers = { ...answer.headers, ETag: answer.etag };
  if (request.headers["if-none-match"] === answer.etag) reply.send(304, "", answer.type, headers);
  else reply.send(200, answer.body, answer.type, headers);
}
