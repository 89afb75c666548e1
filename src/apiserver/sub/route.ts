import { objectKey } from "../cache/resource-cache.ts";
import { methodNotAllowed, notFound, StatusFault } from "../status.ts";
import type { Call } from "../verbs/call.ts";
import { patch } from "../verbs/patch.ts";
import { get } from "../verbs/read.ts";
import { update, writeRequest } from "../verbs/write.ts";
import { bind } from "./binding.ts";
import { connectOptions } from "./connect-options.ts";
import { evict } from "./eviction.ts";
import { podLog } from "./log.ts";
import { scale } from "./scale.ts";
import { requestToken } from "./token-request.ts";

type Route = (call: Call) => Promise<void>;
type Routes = Readonly<Record<string, Route>>;

const HALF: Routes = { GET: get, HEAD: get, PUT: update, PATCH: patch };

/** By `plural/subresource` in the core group, then by methods. */
const CORE: Readonly<Record<string, Routes>> = {
  "pods/log": { GET: podLog },
  "pods/binding": { POST: bind },
  "pods/eviction": { POST: evict },
  "pods/ephemeralcontainers": HALF,
  "pods/resize": HALF,
  "pods/exec": { GET: later, POST: later },
  "pods/attach": { GET: later, POST: later },
  "pods/portforward": { GET: later, POST: later },
  "serviceaccounts/token": { POST: requestToken },
  "namespaces/finalize": { PUT: update },
};

/** Answers a subresource; false when the kind has none of that name. */
export async function subresource(call: Call): Promise<boolean> {
  const { view, info, request } = call;
  const { spec } = view;
  const routes = routesOf(call);
  if (routes === undefined) return false;
  const method = request.method ?? "GET";
  const route = Object.hasOwn(routes, method) ? routes[method] : undefined;
  if (route === undefined) throw methodNotAllowed(method.toLowerCase(), spec.resource);
  if (spec.resource.namespaced && info.namespace === undefined)
    throw methodNotAllowed(method.toLowerCase(), spec.resource);
  await route(call);
  return true;
}

function routesOf({ view, info }: Call): Routes | undefined {
  const { spec } = view;
  if (info.subresource === "status") return spec.hasStatus ? HALF : undefined;
  if (info.subresource === "scale") return spec.scale ? { GET: scale, PUT: scale, PATCH: scale } : undefined;
  if (spec.resource.kind === "CertificateSigningRequest")
    return info.subresource === "approval" ? HALF : undefined;
  const key = `${spec.resource.plural}/${info.subresource}`;
  return spec.resource.group === "" && Object.hasOwn(CORE, key) ? CORE[key] : undefined;
}

/** exec, attach and portforward need a stream through to the kubelet, which is not there yet. */
async function later(call: Call): Promise<void> {
  const { cache, info, api } = call;
  const name = info.name ?? "";
  const stored = cache.get(objectKey(info.namespace, name));
  if (stored === undefined) throw notFound(cache.spec.resource, name);
  await api.writer.admitConnect(writeRequest(call), connectOptions(call), stored);
  throw new StatusFault("NotImplemented", `pods/${info.subresource} is not served yet`, {
    details: { name, kind: "pods" },
  });
}
