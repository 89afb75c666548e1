import { openLog } from "#telemetry/log";
import { FLANNELD_FLAGS } from "../config/flanneld-flags.ts";
import { readFabricAlone } from "../config/read-fabric-alone.ts";
import type { Command, CommandContext } from "./command.ts";
import { FABRIC_STATUS_HELP, fabricStatus } from "./fabric-status.ts";

const BAD_USAGE = 2;

export const fabric: Command = {
  summary: "show the pod network: fabric status; or run it alone, on any cluster: fabric --kubeconfig FILE",
  help: help(),
  run: ([word, ...rest], context) =>
    word === "status"
      ? fabricStatus(rest, context)
      : runAlone(word === undefined ? [] : [word, ...rest], context),
};

async function runAlone(argv: readonly string[], context: CommandContext): Promise<number> {
  const reading = readFabricAlone(argv, context.env);
  for (const warning of reading.warnings) context.writeError(`Warning: ${warning}\n`);
  if (reading.kind === "bad") {
    context.writeError(`Cannot start:\n${reading.problems.map((problem) => `  ${problem}\n`).join("")}`);
    return BAD_USAGE;
  }
  if (process.getuid?.() !== 0) {
    context.writeError("Cannot start: a fabric makes network devices, which needs root; run it with sudo\n");
    return 1;
  }
  const log = openLog({ write: context.writeError, level: reading.config.isDebug ? "debug" : "info" });
  const { runFabricAlone } = await import("../fabric-alone.ts");
  await runFabricAlone(reading.config, { log, signal: context.signal });
  return 0;
}

function help(): string {
  const rows = FLANNELD_FLAGS.map((flag) => {
    const name = `  --${flag.name}${flag.takes === "switch" ? "" : " VALUE"}`;
    const more = [
      ...(flag.shown ? [`default: ${flag.shown}`] : []),
      ...(flag.also ? [`also: --${flag.also.join(", --")}`] : []),
      ...(flag.env ? [`environment: ${flag.env}`] : []),
    ];
    return `${name.padEnd(38)}${flag.help}${more.length > 0 ? ` (${more.join("; ")})` : ""}`;
  });
  return `${FABRIC_STATUS_HELP}\nUsage: twill fabric [flags]\n\n${rows.join("\n")}\n\nEach may also stand in the environment as flanneld's do: FLANNELD_IFACE for --iface. WIREGUARD_KEY_FILE says where the\nkey is kept (default: /run/flannel/wgkey).\nIt needs a role with get, list and watch of nodes and patch of nodes/status. In a container on the host's network\nNET_ADMIN and NET_RAW will do. What it made stays when it ends.\n`;
}
