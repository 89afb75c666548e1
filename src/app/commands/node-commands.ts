import { join } from "node:path";
import { openLog } from "#telemetry/log";
import type { AgentConfig, ConfigReading, ServerConfig } from "../config/config.ts";
import { FLAGS } from "../config/flags.ts";
import { readAgentConfig, readServerConfig } from "../config/read-config.ts";
import type { Life } from "../life.ts";
import type { Command, CommandContext } from "./command.ts";

export const server: Command = {
  summary: "run a server: the API, the controllers, and this machine as a node",
  help: flagHelp("server"),
  run: (argv, context) =>
    runNodeCommand(readServerConfig(argv, context.env), context, async (config: ServerConfig, life) => {
      const { runServer } = await import("../server.ts");
      await runServer(config, life);
    }),
};

export const agent: Command = {
  summary: "run an agent: this machine as a node of a cluster that has a server",
  help: flagHelp("agent"),
  run: (argv, context) =>
    runNodeCommand(readAgentConfig(argv, context.env), context, async (config: AgentConfig, life) => {
      const { runAgentNode } = await import("../agent-node.ts");
      await runAgentNode(config, life);
    }),
};

const BAD_USAGE = 2;

async function runNodeCommand<C extends ServerConfig | AgentConfig>(
  reading: ConfigReading<C>,
  context: CommandContext,
  run: (config: C, life: Life) => Promise<void>,
): Promise<number> {
  for (const warning of reading.warnings) context.writeError(`Warning: ${warning}\n`);
  if (reading.kind === "bad") {
    context.writeError(`Cannot start:\n${reading.problems.map((problem) => `  ${problem}\n`).join("")}`);
    return BAD_USAGE;
  }
  if (process.getuid?.() !== 0) {
    context.writeError(
      "Cannot start: a node makes network devices and namespaces, which needs root; run it with sudo\n",
    );
    return 1;
  }
  const log = openLog({ write: context.writeError, level: reading.config.node.isDebug ? "debug" : "info" });
  // A lab's nodes have theirs among their own files.
  const imagesDir = context.env["TWILL_IMAGES"] ?? join(context.program.root, ".twill/images");
  await run(reading.config, { log, signal: context.signal, imagesDir, program: context.program });
  return 0;
}

function flagHelp(command: "server" | "agent"): string {
  const rows = FLAGS.filter((flag) => flag.on === "both" || flag.on === command).map((flag) => {
    const name = `  ${flag.short ? `-${flag.short}, ` : "    "}--${flag.name}${flag.takes === "switch" ? "" : " VALUE"}`;
    const more = [
      flag.shown ? `default: ${flag.shown}` : "",
      flag.env ? `environment: ${flag.env}` : "",
    ].filter((part) => part);
    return `${name.padEnd(38)}${flag.help}${more.length > 0 ? ` (${more.join("; ")})` : ""}`;
  });
  return `Usage: twill ${command} [flags]\n\n${rows.join("\n")}\n\nFlags may also stand in the config file, by their long names.\n`;
}
