/** The routes under `/v1-k3s/`, `/cacerts` and `/ping` by which nodes join, beside the Kubernetes API on the same port.
 *  Plain request in, plain reply out; sockets are somebody else's. */

import { isIp } from "#addr/ip";
import { isDnsSubdomain } from "#addr/name";
import { explain, Fault } from "#fault/fault";
import type { KubeClient } from "#kube/client";
import type { Clock } from "#life/clock";
import type { Logger } from "#telemetry/log";
import type { Authority } from "./authority.ts";
import { checkBootstrapToken, sameText } from "./bootstrap-token.ts";
import { issueCertificate, type LeafRequest, readRequest } from "./certificate.ts";
import { type ClusterConfig, encodeClusterConfig } from "./cluster-config.ts";
import type { NodePasswords } from "./node-password.ts";

export interface SupervisorRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
  /** From a client certificate our client CA signed, when one was shown. */
  readonly certificate:
    | { readonly commonName: string; readonly organizations: readonly string[] }
    | undefined;
}

export interface SupervisorReply {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

export interface SupervisorDependencies {
  readonly authority: Authority;
  readonly cluster: ClusterConfig;
  readonly secrets: { readonly node: string; readonly server: string };
  readonly client: KubeClient;
  readonly passwords: NodePasswords;
  readonly clock: Clock;
  readonly log: Logger;
  readonly isReady: () => boolean;
}

type Role = { readonly groups: readonly string[]; readonly nodeName: string | undefined };
const AGENT_GROUPS = ["k3s:agent", "k3s:server", "system:nodes", "system:bootstrappers"];

/** Answers a supervisor route; undefined means the path belongs to the Kubernetes API. */
export async function answerSupervisor(
  request: SupervisorRequest,
  deps: SupervisorDependencies,
): Promise<SupervisorReply | undefined> {
  if (request.path === "/cacerts") return text(200, deps.authority.serverCa.certPem);
  if (request.path === "/ping") return text(200, "pong");
  if (!request.path.startsWith("/v1-k3s/")) return undefined;
  try {
    const role = await authenticate(request, deps);
    if (!role.groups.some((group) => AGENT_GROUPS.includes(group)))
      return status(403, "Forbidden", "forbidden");
    return await route(request, role, deps);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    deps.log.warn("refused a node", {
      path: request.path,
      node: request.headers["k3s-node-name"],
      error: explain(error),
    });
    return status(STATUS_OF[error.code] ?? 500, error.code, explain(error));
  }
}

const STATUS_OF: Readonly<Record<string, number>> = {
  Unauthorized: 401,
  Forbidden: 403,
  BadRequest: 400,
  Unreachable: 503,
};

async function route(
  request: SupervisorRequest,
  role: Role,
  deps: SupervisorDependencies,
): Promise<SupervisorReply> {
  switch (`${request.method} ${request.path.slice("/v1-k3s/".length)}`) {
    case "GET config":
      return { status: 200, type: "application/json", body: encodeClusterConfig(deps.cluster) };
    case "GET readyz":
      return deps.isReady() ? text(200, "ok") : status(503, "ServiceUnavailable", "runtime core not ready");
    case "GET client-ca.crt":
      return text(200, deps.authority.clientCa.certPem);
    case "GET server-ca.crt":
      return text(200, deps.authority.serverCa.certPem);
    case "POST client-kubelet.crt":
      return await kubelet(request, role, deps, (name) => ({
        commonName: `system:node:${name}`,
        organizations: ["system:nodes"],
        usage: "client",
      }));
    case "POST serving-kubelet.crt":
      return await kubelet(request, role, deps, (name, ips) => ({
        commonName: name,
        sans: [name, "localhost", "127.0.0.1", "::1", ...ips],
        usage: "server",
      }));
    case "POST client-kube-proxy.crt":
      return await sign(request, deps, { commonName: "system:kube-proxy", usage: "client" });
    case "POST client-k3s-controller.crt":
      return await sign(request, deps, { commonName: "system:k3s-controller", usage: "client" });
    default:
      return status(404, "NotFound", `no supervisor route ${request.method} ${request.path}`);
  }
}

/** A certificate in the name of a node: only for the one who holds that name's password. */
async function kubelet(
  request: SupervisorRequest,
  role: Role,
  deps: SupervisorDependencies,
  describe: (name: string, ips: readonly string[]) => LeafRequest,
): Promise<SupervisorReply> {
  const name = request.headers["k3s-node-name"] ?? "";
  const password = request.headers["k3s-node-password"] ?? "";
  if (!isDnsSubdomain(name)) {
    throw new Fault(
      "BadRequest",
      `Cannot register node ${JSON.stringify(name)}: a node name has lower-case letters, digits, '-' and '.'`,
    );
  }
  if (password === "")
    throw new Fault("BadRequest", `Cannot register node ${name}: header k3s-Node-Password is missing`);
  if (role.nodeName !== undefined && role.nodeName !== name) {
    throw new Fault(
      "BadRequest",
      `Cannot register node ${name}: the client certificate is node ${role.nodeName}'s`,
    );
  }
  await deps.passwords.check(name, password);
  const ips = (request.headers["k3s-node-ip"] ?? "").split(",").filter(isIp);
  return await sign(request, deps, describe(name, ips));
}

async function sign(
  request: SupervisorRequest,
  deps: SupervisorDependencies,
  leaf: LeafRequest,
): Promise<SupervisorReply> {
  const publicKeyDer = await readRequest(request.body);
  const authority = leaf.usage === "client" ? deps.authority.clientCa : deps.authority.serverCa;
  return text(200, await issueCertificate(authority, leaf, { publicKeyDer, now: deps.clock.now() }));
}

async function authenticate(request: SupervisorRequest, deps: SupervisorDependencies): Promise<Role> {
  if (request.certificate) {
    const { commonName, organizations } = request.certificate;
    const nodeName = commonName.startsWith("system:node:")
      ? commonName.slice("system:node:".length)
      : undefined;
    return { groups: organizations, nodeName };
  }
  const header = request.headers["authorization"] ?? "";
  const bearer = /^Bearer ([a-z0-9]{6})\.([a-z0-9]{16})$/.exec(header);
  if (bearer?.[1] && bearer[2]) {
    const verdict = await checkBootstrapToken(
      deps.client,
      { id: bearer[1], secret: bearer[2] },
      deps.clock.now(),
    );
    if (verdict.kind === "bad") throw new Fault("Unauthorized", `not authorized: ${verdict.why}`);
    return { groups: verdict.groups, nodeName: undefined };
  }
  return { groups: basicGroups(header, deps.secrets), nodeName: undefined };
}

function basicGroups(header: string, secrets: SupervisorDependencies["secrets"]): readonly string[] {
  const [user = "", ...rest] = Buffer.from(/^Basic (.+)$/.exec(header)?.[1] ?? "", "base64")
    .toString()
    .split(":");
  const password = rest.join(":");
  if (user === "server" && sameText(password, secrets.server)) return ["k3s:server"];
  if (user === "node" && (sameText(password, secrets.node) || sameText(password, secrets.server)))
    return ["k3s:agent"];
  throw new Fault(
    "Unauthorized",
    "not authorized: the token is not this cluster's; take it from server/node-token in a server's data directory",
  );
}

function text(code: number, body: string): SupervisorReply {
  return { status: code, type: "text/plain", body };
}

function status(code: number, reason: string, message: string): SupervisorReply {
  const body = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason, code };
  return { status: code, type: "application/json", body: JSON.stringify(body) };
}
