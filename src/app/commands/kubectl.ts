import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "#fault/fault";
import { LAB_ROOTS } from "#lab/layout";
import { readRecord } from "#lab/record";
import type { Command } from "./command.ts";

const SERVER_KUBECONFIG = "/etc/rancher/k3s/k3s.yaml";

export const kubectl: Command = {
  summary: "run kubectl against a lab, or against this machine's server",
  help: "Usage: ./twill kubectl [--name NAME] ARGUMENTS OF KUBECTL\n",
  async run(argv, { env, signal }) {
    const isNamed = argv[0] === "--name" || argv[0]?.startsWith("--name=");
    const name = !isNamed ? "twill" : (argv[0]?.split("=")[1] ?? argv[1] ?? "");
    const rest = !isNamed ? argv : argv.slice(argv[0] === "--name" ? 2 : 1);
    const kubeconfig = findKubeconfig(name, isNamed ?? false, env["KUBECONFIG"]);
    const child = spawn("kubectl", rest, {
      stdio: "inherit",
      env: { ...env, KUBECONFIG: kubeconfig },
      signal,
    });
    return await new Promise<number>((resolve, reject) => {
      child.once("error", (cause) =>
        signal.aborted
          ? resolve(130)
          : reject(
              new Fault(
                "NoKubectl",
                "Cannot run kubectl: it is not installed; apt-get install kubernetes-client",
                { cause },
              ),
            ),
      );
      child.once("exit", (code) => resolve(code ?? 1));
    });
  },
};

function findKubeconfig(name: string, isNamed: boolean, otherwise: string | undefined): string {
  const lab = readRecord(join(LAB_ROOTS.state, name));
  if (lab) return lab.kubeconfig;
  if (!isNamed && existsSync(SERVER_KUBECONFIG)) return SERVER_KUBECONFIG;
  if (!isNamed && otherwise) return otherwise;
  throw new Fault(
    "NoCluster",
    `Cannot find a cluster: there is no lab "${name}" and no ${SERVER_KUBECONFIG}; make one with ./twill up`,
  );
}
