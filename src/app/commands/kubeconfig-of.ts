import { existsSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "#fault/fault";
import { checkName, LAB_ROOTS } from "#lab/layout";
import { labNames, readRecord } from "#lab/record";

const SERVER_KUBECONFIG = "/etc/rancher/k3s/k3s.yaml";
export const DEFAULT_LAB = "twill";

/** The cluster a command is about: the lab that was named, else the lab called `twill`, else this machine's server, else
 *  whatever KUBECONFIG says. @throws {Fault} NoCluster, BadLab */
export function kubeconfigOf(name: string | undefined, otherwise: string | undefined): string {
  if (name !== undefined) checkName(name);
  const lab = readRecord(join(LAB_ROOTS.state, name ?? DEFAULT_LAB));
  if (lab) return lab.kubeconfig;
  if (name === undefined && existsSync(SERVER_KUBECONFIG)) return SERVER_KUBECONFIG;
  if (name === undefined && otherwise) return otherwise;
  const others = labNames();
  const there = others.length > 0 ? ` (there is: ${others.join(", ")}; choose with --name)` : "";
  const missing = `there is no lab "${name ?? DEFAULT_LAB}"${name === undefined ? ` and no ${SERVER_KUBECONFIG}` : ""}`;
  throw new Fault("NoCluster", `Cannot find a cluster: ${missing}; make one with ./twill up${there}`);
}
