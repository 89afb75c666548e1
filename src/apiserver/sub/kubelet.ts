import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import type { Duplex } from "node:stream";
import { connect, type TLSSocket } from "node:tls";
import { formatEndpoint, isIp } from "#addr/ip";
import { explain } from "#fault/fault";
import type { Node } from "#kube/generated/types";
import { StatusFault, unknownFault } from "../status.ts";

/** Opens a byte stream to a kubelet's port; the TLS on top is ours. */
export type DialKubelet = (target: KubeletAddress) => Promise<Duplex>;

export interface KubeletAddress {
  readonly nodeName: string;
  readonly host: string;
  readonly port: number;
}

export interface KubeletTrust {
  /** PEM: who signs kubelets' certificates, and what the API server shows them. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

const KUBELET_PORT = 10250;
const ANSWER_WITHIN_MS = 30_000;

/** Speaks to kubelets with the API server's own certificate, and believes only certificates of the cluster's authority. */
export class KubeletProxy {
  readonly #trust: KubeletTrust;
  readonly #dial: DialKubelet | undefined;

  constructor(trust: KubeletTrust, dial?: DialKubelet) {
    this.#trust = trust;
    this.#dial = dial;
  }

  /** The answer to GET `path` on the node's kubelet, headers read and body streaming. @throws {StatusFault} InternalError */
  async get(
    node: Node,
    path: string,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<IncomingMessage> {
    const target = addressOf(node);
    try {
      const socket = await this.connect(target);
      return await ask(socket, { target, path, signal });
    } catch (error) {
      signal.throwIfAborted();
      const { host, port } = target;
      throw new StatusFault("InternalError", `Get "https://${host}:${port}${path}": ${explain(error)}`, {
        cause: error,
      });
    }
  }

  /** A connection to a kubelet, each side sure of the other. @throws {Error} in the words of Go's dialler */
  async connect(target: KubeletAddress): Promise<TLSSocket> {
    try {
      return await this.#open(target);
    } catch (error) {
      throw new Error(explainDial(error, target), { cause: error });
    }
  }

  async #open(target: KubeletAddress): Promise<TLSSocket> {
    const { host, port } = target;
    const socket = await this.#dial?.(target);
    const secure = connect({ host, port, ...this.#trust, ...(socket === undefined ? {} : { socket }) });
    return await new Promise((resolve, reject) => {
      const late = setTimeout(
        () => secure.destroy(Object.assign(new Error("i/o timeout"), { code: "ETIMEDOUT" })),
        ANSWER_WITHIN_MS,
      );
      secure.once("secureConnect", () => {
        clearTimeout(late);
        resolve(secure);
      });
      secure.once("error", (error) => {
        clearTimeout(late);
        reject(error);
      });
    });
  }
}

const DIAL_ERRORS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connect: connection refused",
  EHOSTUNREACH: "connect: no route to host",
  ENETUNREACH: "connect: network is unreachable",
  ETIMEDOUT: "i/o timeout",
};

function explainDial(error: unknown, { host, port }: KubeletAddress): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const why = DIAL_ERRORS[code];
  const place = isIp(host) ? formatEndpoint(host, port) : `${host}:${port}`;
  return why === undefined ? explain(error) : `dial tcp ${place}: ${why}`;
}

async function ask(
  socket: TLSSocket,
  {
    target,
    path,
    signal,
  }: { readonly target: KubeletAddress; readonly path: string; readonly signal: AbortSignal },
): Promise<IncomingMessage> {
  return await new Promise((resolve, reject) => {
    const outgoing = request({
      host: target.host,
      port: target.port,
      path,
      signal,
      createConnection: () => socket, // With an agent, even `false`, Node would open one of its own instead.
    });
    outgoing.once("response", resolve);
    outgoing.once("error", reject);
    outgoing.end();
  });
}

/** Where the node's kubelet listens. @throws {StatusFault} when the node has no address yet */
export function addressOf(node: Node): KubeletAddress {
  const addresses = node.status?.addresses ?? [];
  const byType = (type: string) => addresses.find((address) => address.type === type)?.address;
  const host = byType("InternalIP") ?? byType("ExternalIP") ?? byType("Hostname");
  const { name } = node.metadata;
  if (host === undefined) throw unknownFault("no preferred addresses found; known addresses: []");
  return { nodeName: name, host, port: node.status?.daemonEndpoints?.kubeletEndpoint?.Port ?? KUBELET_PORT };
}
