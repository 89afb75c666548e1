import { NODES, PODS, SECRETS } from "#kube/resources";
import type { BoundObject } from "../auth/token.ts";
import { objectKey } from "../cache/resource-cache.ts";
import { type JsonObject, listAt, numberAt, objectAt, textAt } from "../json.ts";
import { badRequest, conflict, invalid, notFound } from "../status.ts";
import type { Call } from "../verbs/call.ts";
import { formatTime } from "../verbs/metadata.ts";
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
/** A pod's own token, asked for as the kubelet asks, lives on for a year so that old clients that never reread it go on working. */
const POD_TOKEN_SECONDS = 3607;
const YEAR_SECONDS = 365 * 24 * 3600;

/** POST `serviceaccounts/NAME/token`. */
export async function requestToken(call: Call): Promise<void> {
  const { api, cache, info, reply } = call;
  const name = info.name ?? "";
  const namespace = info.namespace ?? "";
  const given = await readObject(call, TOKEN_REQUEST);
  const account = cache.get(objectKey(namespace, name));
  if (account === undefined) throw notFound(cache.spec.resource, name);
  await api.writer.admitOther(writeRequest(call), given, account);
  const spec = objectAt(given, "spec") ?? {};
  const seconds = secondsOf(spec);
  const audiences = (listAt(spec, "audiences") ?? []).filter((audience) => typeof audience === "string");
  const forApi = audiences.length === 0 || audiences.includes(api.tokens.issuer);
  const bound = boundOf(call, spec);
  const now = api.clock.now();
  const lives = seconds === POD_TOKEN_SECONDS && bound?.kind === "Pod" && forApi ? YEAR_SECONDS : seconds;
  const token = api.tokens.issue({
    namespace,
    name,
    uid: account.object.metadata.uid ?? "",
    audiences: audiences.length === 0 ? [api.tokens.issuer] : audiences,
    expiresAtMs: now + lives * 1000,
    bound,
  });
  reply.json(201, {
    kind: "TokenRequest",
    apiVersion: "authentication.k8s.io/v1",
    metadata: { name, namespace, creationTimestamp: formatTime(now) },
    spec: {
      ...spec,
      audiences: audiences.length === 0 ? [api.tokens.issuer] : audiences,
      expirationSeconds: seconds,
    },
    status: { token, expirationTimestamp: formatTime(now + seconds * 1000) },
  });
}

function secondsOf(spec: JsonObject): number {
  const seconds = numberAt(spec, "expirationSeconds") ?? DEFAULT_SECONDS;
  if (seconds >= LEAST_SECONDS && seconds <= 2 ** 32) return seconds;
  const detail =
    seconds < LEAST_SECONDS
      ? "may not specify a duration less than 10 minutes"
      : "may not specify a duration larger than 2^32 seconds";
  throw invalid({ group: "authentication.k8s.io", kind: "TokenRequest" }, "", [
    { type: "Invalid", path: "spec.expirationSeconds", value: seconds, detail },
  ]);
}

function boundOf({ api, info }: Call, spec: JsonObject): BoundObject | undefined {
  const reference = objectAt(spec, "boundObjectRef");
  if (reference === undefined) return undefined;
  const kind = textAt(reference, "kind") ?? "";
  const name = textAt(reference, "name") ?? "";
  const resources = { Pod: PODS, Secret: SECRETS, Node: NODES };
  if (kind !== "Pod" && kind !== "Secret" && kind !== "Node")
    throw badRequest(
      `cannot bind token to object of type ${textAt(reference, "apiVersion") ?? ""}, Kind=${kind}`,
    );
  const resource = resources[kind];
  const object = api.world.read<{ metadata: { name: string; uid?: string | undefined }; spec?: unknown }>(
    resource,
    resource.namespaced ? info.namespace : undefined,
    name,
  );
  if (object === undefined) throw notFound(resource, name);
  const uid = object.metadata.uid ?? "";
  const wanted = textAt(reference, "uid") ?? "";
  if (wanted !== "" && wanted !== uid)
    throw conflict(
      resource,
      name,
      `the UID in the bound object reference (${wanted}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  if (kind === "Pod" && textAt(object.spec, "serviceAccountName") !== info.name)
    throw badRequest(
      `cannot bind token for serviceaccount ${JSON.stringify(info.name)} to pod running with different serviceaccount name.`,
    );
  return { kind, name, uid };
}
