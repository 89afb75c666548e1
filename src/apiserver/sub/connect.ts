import type { Node, Pod } from "#kube/generated/types";
import { NODES, PODS } from "#kube/resources";
import { TUNNEL_PROTOCOL } from "#kube/stream/serve-port-forward";
import { isWebSocket, webSocketProtocols } from "#kube/stream/upgrade";
import { objectKey } from "../cache/resource-cache.ts";
import { upgradeOf } from "../request/upgrade.ts";
import { badRequest, notFound } from "../status.ts";
import type { Call } from "../verbs/call.ts";
import { writeRequest } from "../verbs/write.ts";
import { translateCommand } from "./connect-command.ts";
import { connectOptions, kubeletQuery } from "./connect-options.ts";
import { relayUpgrade } from "./connect-relay.ts";
import { tunnelPorts } from "./connect-tunnel.ts";
import { containerOf } from "./container.ts";

/** The subprotocol whose clients may close stdin, which no kubelet's WebSocket knows: it is translated. */
const COMMAND_PROTOCOL = "v5.channel.k8s.io";
/** Of nodes whose kubelets speak every subprotocol themselves. */
const WEBSOCKET_FEATURE = "ExtendWebSocketsToKubelet";

/** exec, attach and portforward: joins the client with the kubelet of the pod's node. What the two have in common passes byte for byte; the newer
 *  WebSocket subprotocols become SPDY on the way. @throws {StatusFault} NotFound, BadRequest, Forbidden, and Unknown when the kubelet is not there */
export async function connect(call: Call): Promise<void> {
  const { cache, info, api, request } = call;
  await requireCreate(call);
  const name = info.name ?? "";
  const stored = cache.get(objectKey(info.namespace, name));
  if (stored === undefined) throw notFound(PODS, name);
  await api.writer.admitConnect(writeRequest(call), connectOptions(call), stored);
  const pod: Pod = stored.object;
  const path = pathOf(call, pod);
  const nodeName = pod.spec?.nodeName ?? "";
  if (nodeName === "") throw badRequest(`pod ${name} does not have a host assigned`);
  const node = api.world.read(NODES, undefined, nodeName);
  if (node === undefined) throw notFound(NODES, nodeName);
  const upgrade = upgradeOf(request);
  if (upgrade === undefined) throw badRequest("Upgrade request required");
  const connection = { upgrade, node, path };
  if (!isTranslated(call, node)) await relayUpgrade(call, connection);
  else if (info.subresource === "portforward") await tunnelPorts(call, connection);
  else await translateCommand(call, connection);
}

/** A WebSocket's request is a GET, and reading is not enough to run something. */
async function requireCreate({ api, request, user, info }: Call): Promise<void> {
  if (request.method === "POST") return;
  const { group, version, plural, subresource, namespace, name } = info;
  const attributes = { verb: "create", group, version, plural, subresource, namespace, name };
  await api.authorizer.require(user, attributes);
}

/** What the kubelet is asked for. @throws {StatusFault} BadRequest */
function pathOf({ info, query }: Call, pod: Pod): string {
  const { namespace = "", name } = pod.metadata;
  const subresource = info.subresource ?? "";
  const search = kubeletQuery(subresource, query);
  const tail = search === "" ? "" : `?${search}`;
  if (subresource === "portforward") return `/portForward/${namespace}/${name}${tail}`;
  const container = containerOf(pod, query.get("container") ?? "");
  return `/${subresource}/${namespace}/${name}/${encodeURIComponent(container)}${tail}`;
}

function isTranslated({ request, info }: Call, node: Node): boolean {
  if (!isWebSocket(request) || node.status?.declaredFeatures?.includes(WEBSOCKET_FEATURE)) return false;
  const wanted = info.subresource === "portforward" ? TUNNEL_PROTOCOL : COMMAND_PROTOCOL;
  return webSocketProtocols(request).includes(wanted);
}
