/** The command line: one word, then that command's own. */
import { asError, explain, isFault } from "#fault/fault";
import type { Command, CommandContext } from "./commands/command.ts";
import { VERSION } from "./version.ts";

const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  up: async () => (await import("./commands/lab-commands.ts")).up,
  down: async () => (await import("./commands/lab-commands.ts")).down,
  kubectl: async () => (await import("./commands/kubectl.ts")).kubectl,
  token: async () => (await import("./commands/token.ts")).token,
  server: async () => (await import("./commands/node-commands.ts")).server,
  agent: async () => (await import("./commands/node-commands.ts")).agent,
  fabric: async () => (await import("./commands/fabric.ts")).fabric,
  proxy: async () => (await import("./commands/proxy.ts")).proxy,
  service: async () => (await import("./commands/service.ts")).service,
  servicelb: async () => (await import("./commands/servicelb.ts")).servicelb,
  ccm: async () => (await import("./commands/ccm.ts")).ccm,
  cleanup: async () => (await import("./commands/cleanup.ts")).cleanup,
};

const BAD_USAGE = 2;

/** @returns the exit code: 0 done, 1 could not, 2 asked wrongly, 130 interrupted */
export async function main(argv: readonly string[], context: CommandContext): Promise<number> {
  const [word = "help", ...rest] = argv;
  if (["help", "--help", "-h"].includes(word)) {
    context.write(await usage());
    return 0;
  }
  if (["version", "--version"].includes(word)) {
    context.write(`twill ${VERSION}\n`);
    return 0;
  }
  const open = COMMANDS[word];
  if (!open) {
    context.writeError(`There is no command ${JSON.stringify(word)}\n\n${await usage()}`);
    return BAD_USAGE;
  }
  const command = await open();
  if (word !== "kubectl" && rest.some((each) => each === "--help" || each === "-h")) {
    context.write(command.help);
    return 0;
  }
  return await runCommand(command, rest, context);
}

async function runCommand(
  command: Command,
  argv: readonly string[],
  context: CommandContext,
): Promise<number> {
  try {
    return await command.run(argv, context);
  } catch (error) {
    if (context.signal.aborted) return 130;
    // A fault is told in a sentence; anything else is a bug, and its place matters.
    context.writeError(`${isFault(error) ? explain(error) : (asError(error).stack ?? explain(error))}\n`);
    return 1;
  }
}

async function usage(): Promise<string> {
  const rows = await Promise.all(
    Object.entries(COMMANDS).map(async ([name, open]) => `  ${name.padEnd(10)}${(await open()).summary}`),
  );
  const launcher = [
    "  test      everything: types, lint, unit, real kernel, a whole cluster",
    "  bench     figures beside a peer's",
  ];
  return `Usage: ./twill COMMAND [flags]; each command has --help\n\n${[...rows, ...launcher].join("\n")}\n`;
}
