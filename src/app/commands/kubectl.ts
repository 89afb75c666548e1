import { spawn } from "node:child_process";
import { Fault } from "#fault/fault";
import type { Command } from "./command.ts";
import { kubeconfigOf } from "./kubeconfig-of.ts";

export const kubectl: Command = {
  summary: "run kubectl against a lab, or against this machine's server",
  help: "Usage: ./twill kubectl [--name NAME] ARGUMENTS OF KUBECTL\n",
  async run(argv, { env, signal }) {
    const { name, rest } = takeName(argv);
    const kubeconfig = kubeconfigOf(name, env["KUBECONFIG"]);
    const child = spawn("kubectl", rest, { stdio: "inherit", env: { ...env, KUBECONFIG: kubeconfig } });
    return await new Promise<number>((resolve, reject) => {
      child.once("error", (cause) =>
        reject(
          new Fault(
            "NoKubectl",
            "Cannot run kubectl: it is not installed; apt-get install kubernetes-client",
            { cause },
          ),
        ),
      );
      // Ctrl-C reaches kubectl itself, which then says how it ended.
      child.once("exit", (code) => resolve(code ?? (signal.aborted ? 130 : 1)));
    });
  },
};

/** Ours only when it comes first: after that every word is kubectl's. */
function takeName(argv: readonly string[]): { name: string | undefined; rest: readonly string[] } {
  const [first = "", second] = argv;
  // An empty name is no lab's, and is refused as one.
  if (first === "--name") return { name: second ?? "", rest: argv.slice(2) };
  if (first.startsWith("--name=")) return { name: first.slice("--name=".length), rest: argv.slice(1) };
  return { name: undefined, rest: argv };
}
