import { proxy } from "../proxy/proxy.ts";
import { methodNotAllowed, noSuchPath, notFound, wrongMethod } from "../status.ts";
import type { Call } from "../verbs/call.ts";
import { patch } from "../verbs/patch.ts";
import { get } from "../verbs/read.ts";
import { update } from "../verbs/write.ts";
import { bind } from "./binding.ts";
import { connect } from "./connect.ts";
import { evict } from "./eviction.ts";
import { podLog } from "./log.ts";
import { scale } from "./scale.ts";
import { requestToken } from "./token-request.ts";

type Route = (call: Call) => Promise<void>;
type Routes = Readonly<Record<string, Route>>;

const HALF: Routes = { GET: get, PUT: update, PATCH: patch };

const PROXY: Routes = Object.fromEntries(
  ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"].map((method) => [method, proxy]),
);

/** By `plural/subresource` in the core group, then by methods. */
const CORE: Readonly<Record<string, Routes>> = {
  "pods/log": { GET: podLog },
  "pods/binding": { POST: bind },
  "pods/eviction": { POST: evict },
  "pods/ephemeralcontainers": HALF,
  "pods/resize": HALF,
  "pods/exec": { GET: connect, POST: connect },
  "pods/attach": { GET: connect, POST: connect },
  "pods/portforward": { GET: connect, POST: connect },
  "pods/proxy": PROXY,
  "services/proxy": PROXY,
  "nodes/proxy": PROXY,
  "serviceaccounts/token": { POST: requestToken },
  "namespaces/finalize": { PUT: update },
};

/** Answers a subresource. @throws {StatusFault} NotFound when the kind has none of that name, MethodNotAllowed */
export async function subresource(call: Call): Promise<void> {
  const { view, info, request } = call;
  const { resource, custom } = view.spec;
  const routes = routesOf(call);
  if (routes === undefined) throw custom === undefined ? noSuchPath() : notFound(resource, info.name ?? "");
  const method = request.method ?? "GET";
  const route = Object.hasOwn(routes, method) ? routes[method] : undefined;
  if (route === undefined) {
    if (custom === undefined) throw wrongMethod();
    throw methodNotAllowed(WORD[method] ?? "", resource);
  }
  await route(call);
}

const WORD: Readonly<Record<string, string>> = { POST: "create", DELETE: "delete" };

function routesOf({ view, info }: Call): Routes | undefined {
  const { spec } = view;
  if (info.subresource === "status") return spec.hasStatus ? HALF : undefined;
  if (info.subresource === "scale") return spec.scale ? { GET: scale, PUT: scale, PATCH: scale } : undefined;
  if (spec.resource.kind === "CertificateSigningRequest")
    return info.subresource === "approval" ? HALF : undefined;
  const key = `${spec.resource.plural}/${info.subresource}`;
  return spec.resource.group === "" && Object.hasOwn(CORE, key) ? CORE[key] : undefined;
}
