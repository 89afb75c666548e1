import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import type { ClientOptions } from "#kube/transport";
import type { OpenKube } from "./plugin.ts";
import type { KubeAccess } from "./plugins/kubernetes/config.ts";

const USER_AGENT = "coredns";

/** Opens the API that a Corefile names: an address with files for TLS, a kubeconfig, or the cluster this pod runs in.
 *  The HTTP client is loaded only here: a server without `kubernetes` starts without it. */
export function openKubeFor(env: NodeJS.ProcessEnv): OpenKube {
  return async (access) => {
    const { openClient } = await import("#kube/http-client");
    return openClient(await clientOptions(access, env));
  };
}

async function clientOptions(
  { endpoint, tls, kubeconfig }: KubeAccess,
  env: NodeJS.ProcessEnv,
): Promise<ClientOptions> {
  if (kubeconfig !== undefined) {
    const { readKubeconfig } = await import("#kube/kubeconfig");
    const { file, context } = kubeconfig;
    const options = { directory: dirname(file), ...(context === undefined ? {} : { context }) };
    return { ...readKubeconfig(readFileSync(file, "utf8"), options), userAgent: USER_AGENT };
  }
  if (endpoint !== undefined) {
    const read = (file: string | undefined) => (file === undefined ? "" : readFileSync(file, "utf8"));
    const pair = tls === undefined ? {} : { cert: read(tls.cert), key: read(tls.key) };
    return { server: endpoint, ca: read(tls?.ca), userAgent: USER_AGENT, ...pair };
  }
  const { inClusterOptions } = await import("#kube/in-cluster");
  return inClusterOptions(USER_AGENT, { env });
}
