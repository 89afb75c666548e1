import { openLog } from "#telemetry/log";
import { readServiceLbAlone, SERVICELB_FLAGS } from "../config/read-servicelb-alone.ts";
import { SERVICELB_ROLE } from "../servicelb-rights.ts";
import type { Command } from "./command.ts";

const BAD_USAGE = 2;

export const servicelb: Command = {
  summary:
    "give Services of type LoadBalancer addresses of nodes, on any cluster: servicelb --kubeconfig FILE",
  help: help(),
  async run(argv, context) {
    const reading = readServiceLbAlone(argv);
    if (reading.kind === "bad") {
      context.writeError(`Cannot start:\n${reading.problems.map((problem) => `  ${problem}\n`).join("")}`);
      return BAD_USAGE;
    }
    const log = openLog({ write: context.writeError, level: reading.config.isDebug ? "debug" : "info" });
    const { runServiceLbAlone } = await import("../servicelb-alone.ts");
    await runServiceLbAlone(reading.config, { log, signal: context.signal });
    return 0;
  },
};

function help(): string {
  const rows = SERVICELB_FLAGS.map(({ name, takes, help, shown }) => {
    const flag = `  --${name}${takes === "switch" ? "" : " VALUE"}`;
    return `${flag.padEnd(32)}${help}${shown ? ` (default: ${shown})` : ""}`;
  });
  return `Usage: twill servicelb [flags]\n\n${rows.join("\n")}\n
It needs no root, but these rights:\n\n${SERVICELB_ROLE}\n
Nodes have to allow what its pods ask for: --allowed-unsafe-sysctls=net.ipv4.ip_forward,net.ipv6.conf.all.forwarding of their kubelets
(on agents of Twill or K3s as --kubelet-arg; they do so by themselves unless ServiceLB is disabled).
A server runs it by itself: start that with --disable=servicelb to have only this one. What it made stays when it ends.\n`;
}
