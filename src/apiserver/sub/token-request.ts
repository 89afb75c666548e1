import type { Pod } from "#kube/generated/types";
import type { KubeObject } from "#kube/object";
import { NAMESPACES, NODES, PODS, SECRETS } from "#kube/resources";
import type { BoundObject } from "../auth/token.ts";
import { objectKey } from "../cache/resource-cache.ts";
import { type JsonObject, listAt, numberAt, objectAt, textAt } from "../json.ts";
import type { FieldError } from "../kinds/kind.ts";
import { badRequest, conflict, invalid, notFound } from "../status.ts";
import type { Call } from "../verbs/call.ts";
import { checkPlace, formatTime } from "../verbs/metadata.ts";
import { readObject, writeRequest } from "../verbs/write.ts";

const TOKEN_REQUEST = {
  definition: "io.k8s.api.authentication.v1.TokenRequest",
  resource: {
    group: "authentication.k8s.io",
    version: "v1",
    kind: "TokenRequest",
    plural: "tokenrequests",
    namespaced: true,
  },
};
const DEFAULT_SECONDS = 3600;
const LEAST_SECONDS = 600;
const MOST_SECONDS = 2 ** 32;
/** A pod's own token, asked for as the kubelet asks, lives on for a year so that old clients that never reread it go on working. */
const POD_TOKEN_SECONDS = 3607;
const YEAR_SECONDS = 365 * 24 * 3600;

/** POST `serviceaccounts/NAME/token`. */
export async function requestToken(call: Call): Promise<void> {
  const { api, cache, info, reply } = call;
  const name = info.name ?? "";
  const namespace = info.namespace ?? "";
  const given = await readObject(call, TOKEN_REQUEST);
  checkPlace(given, { namespace, name: undefined });
  if (api.world.read(NAMESPACES, undefined, namespace) === undefined) throw notFound(NAMESPACES, namespace);
  const metadata = objectAt(given, "metadata") ?? {};
  checkName(metadata, name);
  const account = cache.get(objectKey(namespace, name));
  if (account === undefined) throw notFound(cache.spec.resource, name);
  const uid = account.object.metadata.uid ?? "";
  checkAccount(metadata, { name, uid });
  const spec = objectAt(given, "spec") ?? {};
  const asked = secondsOf(spec);
  await api.writer.admitOther(writeRequest(call), given, account);
  const named = (listAt(spec, "audiences") ?? []).filter((audience) => typeof audience === "string");
  const audiences = named.length === 0 ? api.tokens.audiences : named;
  const bound = boundOf(call, spec);
  const now = api.clock.now();
  const seconds = Math.min(asked, api.options.serviceAccount.maxExpirationSeconds ?? asked);
  if (seconds < asked) reply.warn(`requested expiration of ${asked} seconds shortened to ${seconds} seconds`);
  const isExtended = isPodToken(call, { seconds: asked, bound, audiences });
  const { token, id } = api.tokens.issue({
    namespace,
    name,
    uid,
    audiences,
    expiresAtMs: now + (isExtended ? YEAR_SECONDS : seconds) * 1000,
    warnAfterMs: isExtended ? now + seconds * 1000 : undefined,
    bound,
    node: nodeOf(call, bound),
  });
  call.audit?.annotate("authentication.kubernetes.io/issued-credential-id", `JTI=${id}`);
  reply.json(201, {
    kind: "TokenRequest",
    apiVersion: "authentication.k8s.io/v1",
    metadata: { ...metadata, name, namespace, uid, creationTimestamp: formatTime(now) },
    spec: { ...spec, audiences, expirationSeconds: seconds, boundObjectRef: spec["boundObjectRef"] ?? null },
    status: { token, expirationTimestamp: formatTime(now + seconds * 1000) },
  });
}

/** @throws {StatusFault} Invalid for a request that is about another account */
function checkName(metadata: JsonObject, name: string): void {
  const given = textAt(metadata, "name") ?? "";
  if (given === "" || given === name) return;
  const detail = "must match the service account name if specified";
  throw invalid({ group: "authentication.k8s.io", kind: "TokenRequest" }, name, [
    { type: "Invalid", path: "metadata.name", value: given, detail },
  ]);
}

/** @throws {StatusFault} Conflict for a request that is about an account that was there before */
function checkAccount(
  metadata: JsonObject,
  { name, uid }: { readonly name: string; readonly uid: string },
): void {
  const given = textAt(metadata, "uid") ?? "";
  if (given === "" || given === uid) return;
  throw conflict(
    { group: "authentication.k8s.io", plural: "TokenRequest" },
    name,
    `the UID in the token request (${given}) does not match the UID of the service account (${uid})`,
  );
}

function isPodToken(
  { api }: Call,
  wish: {
    readonly seconds: number;
    readonly bound: BoundObject | undefined;
    readonly audiences: readonly string[];
  },
): boolean {
  return (
    api.options.serviceAccount.extendsExpiration !== false &&
    wish.seconds === POD_TOKEN_SECONDS &&
    wish.bound?.kind === "Pod" &&
    wish.audiences.every((audience) => api.tokens.audiences.includes(audience))
  );
}

/** @throws {StatusFault} Invalid */
function secondsOf(spec: JsonObject): number {
  const seconds = numberAt(spec, "expirationSeconds") ?? DEFAULT_SECONDS;
  const why = [
    ...(seconds < LEAST_SECONDS ? ["may not specify a duration less than 10 minutes"] : []),
    ...(seconds > MOST_SECONDS ? ["may not specify a duration larger than 2^32 seconds"] : []),
  ];
  if (why.length === 0) return seconds;
  const errors = why.map(
    (detail): FieldError => ({ type: "Invalid", path: "spec.expirationSeconds", value: seconds, detail }),
  );
  throw invalid({ group: "authentication.k8s.io", kind: "TokenRequest" }, "", errors);
}

const BINDABLE = { Pod: PODS, Secret: SECRETS, Node: NODES } as const;

function boundOf({ api, info }: Call, spec: JsonObject): BoundObject | undefined {
  const reference = objectAt(spec, "boundObjectRef");
  if (reference === undefined) return undefined;
  const kind = textAt(reference, "kind") ?? "";
  const name = textAt(reference, "name") ?? "";
  const apiVersion = textAt(reference, "apiVersion") ?? "";
  if ((kind !== "Pod" && kind !== "Secret" && kind !== "Node") || apiVersion.includes("/"))
    throw badRequest(`cannot bind token to object of type ${typeText(apiVersion, kind)}`);
  const resource = BINDABLE[kind];
  const where = resource.namespaced ? info.namespace : undefined;
  if (name === "") throw badRequest("Name parameter required.");
  const object: KubeObject | undefined = api.world.read<KubeObject>(resource, where, name);
  if (object === undefined) throw notFound(resource, name);
  const uid = object.metadata.uid ?? "";
  const wanted = textAt(reference, "uid") ?? "";
  if (wanted !== "" && wanted !== uid)
    throw conflict(
      { group: "", plural: kind },
      name,
      `the UID in the bound object reference (${wanted}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  const pod: Pod | undefined = kind === "Pod" ? object : undefined;
  if (pod !== undefined && pod.spec?.serviceAccountName !== info.name)
    throw badRequest(
      `cannot bind token for serviceaccount ${JSON.stringify(info.name)} to pod running with different serviceaccount name.`,
    );
  return { kind, name, uid };
}

/** As Go prints a group, version and kind. */
function typeText(apiVersion: string, kind: string): string {
  return `${apiVersion.includes("/") ? apiVersion : `/${apiVersion}`}, Kind=${kind}`;
}

/** The node of the pod a token is bound to: its claims say where the pod ran. */
function nodeOf({ api, info }: Call, bound: BoundObject | undefined) {
  const name =
    bound?.kind === "Pod" ? api.world.read(PODS, info.namespace, bound.name)?.spec?.nodeName : undefined;
  return name ? { name, uid: api.world.read(NODES, undefined, name)?.metadata.uid } : undefined;
}
