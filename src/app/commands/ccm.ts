import { openLog } from "#telemetry/log";
import { CCM_FLAGS } from "../config/ccm-flags.ts";
import { readCcm } from "../config/read-ccm.ts";
import type { Command, CommandContext } from "./command.ts";

const BAD_USAGE = 2;

export const ccm: Command = {
  summary: "run the cloud controller alone, on any cluster: ccm --kubeconfig FILE",
  help: help(),
  run: runAlone,
};

async function runAlone(argv: readonly string[], context: CommandContext): Promise<number> {
  const reading = readCcm(argv);
  for (const warning of reading.warnings) context.writeError(`Warning: ${warning}\n`);
  if (reading.kind === "bad") {
    context.writeError(`Cannot start:\n${reading.problems.map((problem) => `  ${problem}\n`).join("")}`);
    return BAD_USAGE;
  }
  const log = openLog({ write: context.writeError, level: reading.config.isDebug ? "debug" : "info" });
  const { runCcmAlone } = await import("../ccm-alone.ts");
  await runCcmAlone(reading.config, { log, signal: context.signal });
  return 0;
}

function help(): string {
  const rows = CCM_FLAGS.map(({ name, takes, help: text, shown }) => {
    const word = `  --${name}${takes === "switch" ? "" : " VALUE"}`;
    return `${word.padEnd(44)}${text}${shown === undefined ? "" : ` (default: ${shown})`}`;
  });
  return `Usage: twill ccm [flags]\n\n${rows.join("\n")}\n\nIt makes Nodes ready for pods that register with the taint of the uninitialised (kubelets with --cloud-provider=external) and\nwhose annotations k3s.io/internal-ip and the like say what their machines are, and gives Services of type LoadBalancer the\naddresses of nodes. Its rights are those of the ClusterRole k3s-cloud-controller-manager of any cluster of Twill's or K3s's.\n`;
}
