import { readFileSync } from "node:fs";
import { formatEndpoint, isIp } from "#addr/ip";
import { asError, Fault } from "#fault/fault";
import type { ClientOptions } from "./transport.ts";

const MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

/** How a pod reaches the API it runs under: the mounted service account, and the address the kubelet put into the environment.
 *  @throws {Fault} NotInCluster */
export function inClusterOptions(
  userAgent: string,
  from: { env?: NodeJS.ProcessEnv; mount?: string } = {},
): ClientOptions {
  const { env = process.env, mount = MOUNT } = from;
  const host = env["KUBERNETES_SERVICE_HOST"];
  const port = Number(env["KUBERNETES_SERVICE_PORT"]);
  if (!host || !Number.isInteger(port) || port <= 0)
    throw new Fault(
      "NotInCluster",
      "Cannot find the Kubernetes API: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set; give --kubeconfig",
    );
  return {
    server: `https://${isIp(host) ? formatEndpoint(host, port) : `${host}:${port}`}`,
    ca: readMounted(`${mount}/ca.crt`),
    tokenFile: `${mount}/token`,
    userAgent,
  };
}

function readMounted(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new Fault("NotInCluster", `Cannot read the service account: ${asError(error).message}`, {
      cause: error,
    });
  }
}
