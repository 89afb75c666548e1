import { inClusterOptions } from "#kube/in-cluster";
import { readKubeconfigFile } from "#kube/kubeconfig";
import type { ClientOptions } from "#kube/transport";
import { VERSION } from "./version.ts";

export interface AloneCluster {
  /** Undefined is the service account of the pod this runs in. */
  readonly kubeconfig: string | undefined;
  /** In place of the one that says. */
  readonly apiUrl?: string | undefined;
}

/** How a program that runs alone, such as `twill-ccm`, reaches the cluster that it is to serve. @throws {Fault} NotInCluster; what is wrong with the kubeconfig */
export function aloneConnection({ kubeconfig, apiUrl }: AloneCluster, program: string): ClientOptions {
  const userAgent = `${program}/${VERSION}`;
  const connection = kubeconfig === undefined ? inClusterOptions(userAgent) : readKubeconfigFile(kubeconfig);
  return { ...connection, ...(apiUrl === undefined ? {} : { server: apiUrl }), userAgent };
}
