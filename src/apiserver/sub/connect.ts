import type { Pod } from "#kube/generated/types";
import { NODES, PODS } from "#kube/resources";
import { objectKey } from "../cache/resource-cache.ts";
import { upgradeOf } from "../request/upgrade.ts";
import { badRequest, notFound, StatusFault } from "../status.ts";
import type { Call } from "../verbs/call.ts";
import { writeRequest } from "../verbs/write.ts";
import { connectOptions } from "./connect-options.ts";
import { containerOf } from "./container.ts";

/** exec, attach and portforward: everything is checked; the stream through to the kubelet is not there yet.
 *  @throws {StatusFault} NotFound, BadRequest, and NotImplemented in the end */
export async function connect(call: Call): Promise<void> {
  const { cache, info, api, query } = call;
  const name = info.name ?? "";
  const stored = cache.get(objectKey(info.namespace, name));
  if (stored === undefined) throw notFound(PODS, name);
  await api.writer.admitConnect(writeRequest(call), connectOptions(call), stored);
  const pod: Pod = stored.object;
  if (info.subresource !== "portforward") containerOf(pod, query.get("container") ?? "");
  const nodeName = pod.spec?.nodeName ?? "";
  if (nodeName === "") throw badRequest(`pod ${name} does not have a host assigned`);
  if (api.world.read(NODES, undefined, nodeName) === undefined) throw notFound(NODES, nodeName);
  if (upgradeOf(call.request) === undefined) throw badRequest("Upgrade request required");
  throw new StatusFault("NotImplemented", `pods/${info.subresource} is not served yet`, {
    details: { name, kind: "pods" },
  });
}
