import { connectOptions } from "../sub/connect-options.ts";
import type { Call } from "../verbs/call.ts";
import { writeRequest } from "../verbs/write.ts";
import { parseNamed } from "./address.ts";
import { forward } from "./forward.ts";
import { nodeTarget, podTarget, serviceTarget, type Target } from "./target.ts";

/** Any method on `nodes|pods|services/NAME/proxy/...`: asks in the client's stead, and gives back what is answered.
 *  @throws {StatusFault} NotFound, BadRequest, ServiceUnavailable */
export async function proxy(call: Call): Promise<void> {
  const target = targetOf(call);
  const { name } = parseNamed(call.info.name ?? "", "");
  const namespace = call.info.namespace === undefined ? "" : `${call.info.namespace}/`;
  const stored = call.cache.get(namespace + name);
  if (stored !== undefined)
    await call.api.writer.admitConnect(writeRequest(call), connectOptions(call), stored);
  await forward(call, target);
}

function targetOf(call: Call): Target {
  switch (call.view.spec.resource.plural) {
    case "nodes":
      return nodeTarget(call);
    case "pods":
      return podTarget(call);
    default:
      return serviceTarget(call);
  }
}
