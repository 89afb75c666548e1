import { pipeline } from "node:stream/promises";
import { NODES, PODS } from "#kube/resources";
import { serveBytes } from "#kube/stream/serve-bytes";
import { isWebSocket } from "#kube/stream/upgrade";
import type { FieldError } from "../kinds/kind.ts";
import { integer } from "../request/query.ts";
import { takeUpgrade, upgradeOf } from "../request/upgrade.ts";
import { badRequest, invalid, notFound, StatusFault } from "../status.ts";
import type { Call } from "../verbs/call.ts";
import { containerOf } from "./container.ts";

const PASSED_ON = [
  "follow",
  "previous",
  "sinceSeconds",
  "sinceTime",
  "timestamps",
  "tailLines",
  "limitBytes",
];

/** Streams a container's log from the kubelet of the pod's node. */
export async function podLog(call: Call): Promise<void> {
  const { api, info, query, reply, response } = call;
  checkOptions(query, info.name ?? "");
  const pod = api.world.read(PODS, info.namespace, info.name ?? "");
  if (pod === undefined) throw notFound(PODS, info.name ?? "");
  const container = containerOf(pod, query.get("container") ?? "");
  const nodeName = pod.spec?.nodeName ?? "";
  if (nodeName === "") {
    // Nothing runs yet: there is nothing to say.
    response.writeHead(204).end();
    return;
  }
  const node = api.world.read(NODES, undefined, nodeName);
  if (node === undefined) throw notFound(NODES, nodeName);
  const passed = new URLSearchParams();
  for (const name of PASSED_ON) {
    const value = query.get(name);
    if (value !== null) passed.set(name, value);
  }
  const { namespace = "", name } = pod.metadata;
  const search = passed.size === 0 ? "" : `?${passed}`;
  const path = `/containerLogs/${namespace}/${name}/${encodeURIComponent(container)}${search}`;
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  const answer = await api.kubelets.get(node, path, { signal: AbortSignal.any([gone.signal, api.signal]) });
  const code = answer.statusCode ?? 500;
  if (code !== 200) throw await refusal(code, answer);
  const upgrade = upgradeOf(call.request);
  if (upgrade !== undefined && isWebSocket(call.request))
    return await serveBytes({ request: call.request, ...takeUpgrade(upgrade, response) }, answer);
  reply.start(200, "text/plain");
  response.flushHeaders();
  try {
    await pipeline(answer, response);
  } catch (error) {
    // The reader left, or the kubelet ended in the middle: either way the stream is over.
    api.log.debug("a log stream broke off", { pod: `${namespace}/${name}`, error });
  }
}

async function refusal(code: number, answer: AsyncIterable<Buffer>): Promise<StatusFault> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk);
  const message = Buffer.concat(chunks).toString("utf8").trim();
  if (code === 400) return badRequest(message);
  if (code === 404) return new StatusFault("NotFound", message);
  return new StatusFault(
    "InternalError",
    `an error on the server (${JSON.stringify(message)}) has prevented the request from succeeding`,
  );
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;

/** @throws {StatusFault} Invalid, BadRequest @see ValidatePodLogOptions in pkg/apis/core/validation */
function checkOptions(query: URLSearchParams, name: string): void {
  const since = query.get("sinceTime");
  if (since !== null && !TIME.test(since))
    throw badRequest(
      `parsing time ${JSON.stringify(since)} as "2006-01-02T15:04:05Z07:00": cannot parse ${JSON.stringify(since)} as "2006"`,
    );
  const errors: FieldError[] = [];
  const atLeast = (path: string, least: number, detail: string) => {
    const value = integer(query, path);
    if (value !== undefined && value < least) errors.push({ type: "Invalid", path, value, detail });
  };
  atLeast("tailLines", 0, "must be greater than or equal to 0");
  atLeast("limitBytes", 1, "must be greater than 0");
  if (query.has("sinceSeconds") && query.has("sinceTime"))
    errors.push({
      type: "Forbidden",
      path: "[]",
      detail: "at most one of `sinceTime` or `sinceSeconds` may be specified",
    });
  else atLeast("sinceSeconds", 1, "must be greater than 0");
  // One of the two streams alone is behind a gate that is closed.
  if (query.get("stream")) errors.push({ type: "Forbidden", path: "stream", detail: "may not be specified" });
  if (errors.length > 0) throw invalid({ group: "", kind: "PodLogOptions" }, name, errors);
}
