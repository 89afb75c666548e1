import type { ClientRequest, RequestOptions } from "node:http";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { connect as connectPlain } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { formatEndpoint, isIp } from "#addr/ip";
import { explain } from "#fault/fault";
import { StatusFault } from "../status.ts";
import type { Call } from "../verbs/call.ts";
import type { Target } from "./target.ts";

/** Opens a byte stream to what runs in a pod, by another road than plain TCP. */
export type DialPod = (target: { readonly host: string; readonly port: number }) => Promise<Duplex>;

const CONNECT_WITHIN_MS = 30_000;

/** A request to the target, its connection made and nothing sent yet. @throws {StatusFault} ServiceUnavailable when nobody is there */
export async function askBackend(
  call: Call,
  target: Target,
  options: RequestOptions,
): Promise<ClientRequest> {
  const { signal } = call.api;
  try {
    const socket =
      target.to === "kubelet" ? await call.api.kubelets.connect(target.kubelet) : await reach(call, target);
    const isSecure = target.to === "kubelet" || target.scheme === "https";
    // With an agent, even `false`, Node would open a connection of its own.
    const wanted: RequestOptions = { ...options, signal, createConnection: () => socket };
    return isSecure ? requestHttps(wanted) : requestHttp(wanted);
  } catch (error) {
    signal.throwIfAborted();
    throw unreachable(error);
  }
}

export function unreachable(error: unknown): StatusFault {
  return new StatusFault("ServiceUnavailable", `error trying to reach service: ${explain(error)}`, {
    cause: error,
  });
}

export function hostOf(target: Target): string {
  const { host, port } = target.to === "kubelet" ? target.kubelet : target;
  return isIp(host) ? formatEndpoint(host, port) : `${host}:${port}`;
}

/** Whoever runs behind a service proves nothing to the API server: certificates are not looked at. */
async function reach({ api }: Call, target: Target & { to: "address" }): Promise<Duplex> {
  const { host, port, scheme } = target;
  const road = await api.options.dialPod?.({ host, port });
  if (scheme === "http") return road ?? (await opened(connectPlain({ host, port }), "connect"));
  const secure = connectTls({
    host,
    port,
    rejectUnauthorized: false,
    ...(road === undefined ? {} : { socket: road }),
  });
  return await opened(secure, "secureConnect");
}

async function opened<T extends Duplex>(socket: T, event: "connect" | "secureConnect"): Promise<T> {
  return await new Promise((resolve, reject) => {
    const late = setTimeout(() => socket.destroy(new Error("i/o timeout")), CONNECT_WITHIN_MS);
    socket.once(event, () => {
      clearTimeout(late);
      resolve(socket);
    });
    socket.once("error", (error) => {
      clearTimeout(late);
      reject(error);
    });
  });
}
