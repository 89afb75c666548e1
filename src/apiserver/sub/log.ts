import { pipeline } from "node:stream/promises";
import type { Pod } from "#kube/generated/types";
import { NODES, PODS } from "#kube/resources";
import { integer } from "../request/query.ts";
import { badRequest, notFound, StatusFault } from "../status.ts";
import type { Call } from "../verbs/call.ts";

const PASSED_ON = [
  "follow",
  "previous",
  "sinceSeconds",
  "sinceTime",
  "timestamps",
  "tailLines",
  "limitBytes",
  "stream",
];

/** Streams a container's log from the kubelet of the pod's node. */
export async function podLog(call: Call): Promise<void> {
  const { api, info, query, reply, response } = call;
  const pod = api.world.read(PODS, info.namespace, info.name ?? "");
  if (pod === undefined) throw notFound(PODS, info.name ?? "");
  const container = containerOf(pod, query.get("container") ?? "");
  checkNumbers(query);
  const nodeName = pod.spec?.nodeName ?? "";
  if (nodeName === "") return reply.send(200, "", "text/plain");
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

/** The container that is asked for, or the only one. @throws {StatusFault} BadRequest */
function containerOf(pod: Pod, asked: string): string {
  const { containers = [], initContainers = [], ephemeralContainers = [] } = pod.spec ?? {};
  const names = (list: readonly { readonly name: string }[]) => list.map(({ name }) => name);
  const all = [...names(containers), ...names(initContainers), ...names(ephemeralContainers)];
  if (asked !== "") {
    if (!all.includes(asked))
      throw badRequest(`container ${asked} is not valid for pod ${pod.metadata.name}`);
    return asked;
  }
  if (all.length === 1) return all[0] ?? "";
  const more = [
    initContainers.length > 0 ? ` or one of the init containers: [${names(initContainers).join(" ")}]` : "",
    ephemeralContainers.length > 0
      ? ` or one of the ephemeral containers: [${names(ephemeralContainers).join(" ")}]`
      : "",
  ].join("");
  throw badRequest(
    `a container name must be specified for pod ${pod.metadata.name}, choose one of: [${names(containers).join(" ")}]${more}`,
  );
}

function checkNumbers(query: URLSearchParams): void {
  for (const [name, least] of [
    ["sinceSeconds", 1],
    ["tailLines", 0],
    ["limitBytes", 1],
  ] as const) {
    const value = integer(query, name);
    if (value !== undefined && value < least)
      throw badRequest(`${name}: Invalid value: ${value}: must be greater than or equal to ${least}`);
  }
  if (query.has("sinceSeconds") && query.has("sinceTime"))
    throw badRequest("at most one of `sinceTime` or `sinceSeconds` may be specified");
}
