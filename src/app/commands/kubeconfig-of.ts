import { existsSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "#fault/fault";
import { checkName, LAB_ROOTS } from "#lab/layout";
import { type LabRecord, labNames, readRecord } from "#lab/record";

const SERVER_KUBECONFIG = "/etc/rancher/k3s/k3s.yaml";
export const DEFAULT_LAB = "twill";

/** The cluster a command is about: the lab that was named, else the lab called `twill`, else this machine's server, else
 *  whatever KUBECONFIG says. @throws {Fault} NoCluster, NotYet, BadLab */
export function kubeconfigOf(name: string | undefined, otherwise: string | undefined): string {
  if (name !== undefined) checkName(name);
  const lab = readRecord(join(LAB_ROOTS.state, name ?? DEFAULT_LAB));
  if (lab) return kubeconfigOfLab(lab);
  if (name === undefined && existsSync(SERVER_KUBECONFIG)) return SERVER_KUBECONFIG;
  if (name === undefined && otherwise) return otherwise;
  const missing = `there is no lab "${name ?? DEFAULT_LAB}"${name === undefined ? ` and no ${SERVER_KUBECONFIG}` : ""}`;
  throw new Fault(
    "NoCluster",
    `Cannot find a cluster: ${missing}; make one with ./twill up${otherLabs(undefined)}`,
  );
}

/** Without that file kubectl would ask whoever listens on port 8080 of this machine. */
function kubeconfigOfLab({ name, kubeconfig }: LabRecord): string {
  if (existsSync(kubeconfig)) return kubeconfig;
  const again = `./twill up${name === DEFAULT_LAB ? "" : ` --name ${name}`}`;
  throw new Fault(
    "NotYet",
    `Cannot use lab "${name}": there is no ${kubeconfig} before its API answers; wait for ${again}, or run it again${otherLabs(name)}`,
  );
}

function otherLabs(but: string | undefined): string {
  const others = labNames().filter((each) => each !== but);
  return others.length > 0 ? ` (there is: ${others.join(", ")}; choose with --name)` : "";
}
