import { objectKey } from "../cache/resource-cache.ts";
import { decodeYaml } from "../codec/decode.ts";
import { isObject, type JsonObject, numberAt, objectAt, textAt } from "../json.ts";
import { mediaType, readBody } from "../request/body.ts";
import { badRequest, conflict, invalid, notFound } from "../status.ts";
import type { Call } from "../verbs/call.ts";
import { checkPlace, metadataOf, uidMismatch } from "../verbs/metadata.ts";
import { patchFunction } from "../verbs/patch.ts";
import { fitBody, fitOr, readObject, writeRequest } from "../verbs/write.ts";
import { SCALE, scaleOf, setScale } from "./scale-object.ts";

/** GET, PUT and PATCH of `/scale`: the replicas of an object, and nothing else of it. */
export async function scale(call: Call): Promise<void> {
  const { cache, view, info, request, reply, api } = call;
  const stored = cache.get(objectKey(info.namespace, info.name ?? ""));
  if (stored === undefined) throw notFound(cache.spec.resource, info.name ?? "");
  if (request.method === "GET") return reply.json(200, scaleOf(view.spec, (await view.out(stored)).object));
  const change = request.method === "PUT" ? await putChange(call) : await patchChange(call);
  const written = await api.writer.update(
    { ...writeRequest(call), subresource: "scale" },
    info.name ?? "",
    (live) => {
      const next = change(scaleOf(view.spec, live.object));
      const version = textAt(metadataOf(next), "resourceVersion") ?? "";
      if (version !== "" && version !== String(live.revision))
        throw conflict(cache.spec.resource, info.name ?? "");
      const uid = textAt(metadataOf(next), "uid") ?? "";
      const actual = live.object.metadata.uid ?? "";
      if (uid !== "" && uid !== actual) throw uidMismatch(cache.spec, info.name ?? "", uid, actual);
      const draft = live.draft();
      const replicas = replicasOf(next, info.name ?? "");
      setScale(view.spec, draft, replicas);
      return { draft };
    },
  );
  reply.json(200, scaleOf(view.spec, written.stored.object));
}

type ScaleChange = (scale: JsonObject) => JsonObject;

async function putChange(call: Call): Promise<ScaleChange> {
  const given = await readObject(call, SCALE);
  checkPlace(given, { namespace: call.info.namespace, name: call.info.name });
  return () => given;
}

async function patchChange(call: Call): Promise<ScaleChange> {
  const type = mediaType(call.request.headers["content-type"]);
  const text = (await readBody(call.request)).toString("utf8");
  if (type === "application/apply-patch+yaml") {
    const config = fitBody(await decodeYaml(text), SCALE, {
      level: "Warn",
      warn: (line) => call.reply.warn(line),
    });
    return (live) => ({ ...live, spec: { ...objectAt(config, "spec") } });
  }
  const run = patchFunction(type, text, SCALE);
  return (live) => {
    const result = run(live);
    if (!isObject(result)) throw badRequest("the patched scale is not an object");
    return fitOr(result, SCALE, (why) =>
      invalid({ group: "", kind: "" }, "", [
        { type: "Invalid", path: "patch", value: JSON.stringify(result), detail: why },
      ]),
    ).value;
  };
}

function replicasOf(scaleObject: JsonObject, name: string): number {
  const replicas = numberAt(objectAt(scaleObject, "spec"), "replicas") ?? 0;
  if (replicas >= 0) return replicas;
  throw invalid({ group: "autoscaling", kind: "Scale" }, name, [
    { type: "Invalid", path: "spec.replicas", value: replicas, detail: "must be greater than or equal to 0" },
  ]);
}
