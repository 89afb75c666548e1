import { askStatus } from "#fabric/status/ask";
import type { FabricStatus } from "#fabric/status/model";
import { isFine, printStatus } from "#fabric/status/print";
import { STATUS_SOCKET } from "#fabric/status/serve";
import { explain, type Fault, isFault } from "#fault/fault";
import type { CommandContext } from "./command.ts";
import { type NodeSocket, nodeSockets, placesOrFault } from "./node-sockets.ts";
import { takeOwnFlags } from "./own-flags.ts";

export const FABRIC_STATUS_HELP = `Usage: twill fabric status [-o json] [--socket PATH]
       twill fabric status --name LAB [--node NODE] [-o json]

Shows what this machine's half of the pod network does, and each peer: the way its packets take, when it was last heard of,
what has been received from it and sent to it, and what is wrong. With --name, the nodes of a lab, or one of them.

  -o, --output json|table   (default: table)
  --name LAB                the nodes of a lab on this machine
  --node NODE               one of them, by its name or its end (agent-1)
  --socket PATH             where the agent answers (default: ${STATUS_SOCKET})

Exit code: 0 every peer is reached, 1 some are not, 3 nobody answers.
`;

const BAD_USAGE = 2;
const UNREACHED = 1;
const NO_AGENT = 3;

type Answer =
  | { readonly place: NodeSocket; readonly status: FabricStatus }
  | { readonly place: NodeSocket; readonly fault: Fault };

/** @returns the exit code */
export async function fabricStatus(argv: readonly string[], context: CommandContext): Promise<number> {
  const { asJson, places, problems } = readArguments(argv);
  if (problems.length > 0) {
    context.writeError(`Cannot show the fabric's status:\n${problems.map((each) => `  ${each}\n`).join("")}`);
    return BAD_USAGE;
  }
  const found = placesOrFault(places);
  if (isFault(found)) {
    context.writeError(`${explain(found)}\n`);
    return NO_AGENT;
  }
  const answers = await Promise.all(found.map((place) => ask(place, context)));
  context.write(asJson ? jsonText(answers) : tableText(answers));
  for (const answer of answers) if ("fault" in answer) context.writeError(`${explain(answer.fault)}\n`);
  return exitCodeOf(answers);
}

async function ask(place: NodeSocket, { signal }: CommandContext): Promise<Answer> {
  try {
    return { place, status: await askStatus(place.socketPath, { signal }) };
  } catch (error) {
    if (!isFault(error)) throw error;
    return { place, fault: error };
  }
}

function jsonText(answers: readonly Answer[]): string {
  const told = answers.flatMap((answer) => ("status" in answer ? [answer.status] : []));
  if (told.length === 0) return "";
  return `${JSON.stringify(answers.length === 1 ? told[0] : told, null, 2)}\n`;
}

function tableText(answers: readonly Answer[]): string {
  return answers.flatMap((answer) => ("status" in answer ? [printStatus(answer.status)] : [])).join("\n");
}

function exitCodeOf(answers: readonly Answer[]): number {
  const told = answers.flatMap((answer) => ("status" in answer ? [answer.status] : []));
  if (told.length < answers.length) return NO_AGENT;
  return told.every(isFine) ? 0 : UNREACHED;
}

function readArguments(argv: readonly string[]) {
  const words = argv.flatMap((word) =>
    word === "-o" ? ["--output"] : /^-o./.test(word) ? ["--output", word.slice(2)] : [word],
  );
  const { values, rest, problems } = takeOwnFlags(words, ["output", "name", "node", "socket"], []);
  problems.push(...rest.map((word) => `${JSON.stringify(word)} is nothing that status takes`));
  const output = values.get("output") ?? "table";
  if (output !== "json" && output !== "table")
    problems.push(`--output: ${JSON.stringify(output)} is neither json nor table`);
  const [lab, node, socket] = ["name", "node", "socket"].map((name) => values.get(name));
  if (socket !== undefined && (lab ?? node) !== undefined)
    problems.push("--socket is for one agent; leave out --name and --node");
  return {
    asJson: output === "json",
    places: () => nodeSockets({ lab, node, socket }, STATUS_SOCKET),
    problems,
  };
}
