import { isIp, parseIp } from "#addr/ip";
import { explain, isFault } from "#fault/fault";
import { askRouting } from "#service/status/ask";
import type { Answer, ExplainAnswer, ListAnswer, Question, UnknownAnswer } from "#service/status/model";
import { printExplanation } from "#service/status/print-explanation";
import { printList } from "#service/status/print-list";
import { SERVICE_SOCKET } from "#service/status/serve";
import type { Command, CommandContext } from "./command.ts";
import { type NodeSocket, nodeSockets, placesOrFault } from "./node-sockets.ts";
import { takeOwnFlags } from "./own-flags.ts";

const HELP = `Usage: twill service list [-o json]
       twill service explain [NAMESPACE/]NAME [--from IP] [--to ADDRESS] [--port PORT] [-o json]

list shows the services as this machine routes them; those with problems come first.

explain tells which client address the pods of a service see, for each kind of client and each way in, why, and what to do
to have the real one; and the connections of this moment with what the pods see of them.

  --from IP                 a client's address: what becomes of its connections
  --to ADDRESS              the address that it uses
  --port PORT               the port that it uses: the service's, or a node port
  -o, --output json|text    (default: text)
  --name LAB                the nodes of a lab on this machine
  --node NODE               one of them, by its name or its end (agent-1)
  --socket PATH             where the agent answers (default: ${SERVICE_SOCKET})

Exit code: 0 told; 1 list: there are problems, explain: there is no such service, or several; 3 nobody answers.
`;

const BAD_USAGE = 2;
const NOT_FINE = 1;
const NO_AGENT = 3;

export const service: Command = {
  summary: "show services as this machine routes them; tell why a client's address is wrong",
  help: HELP,
  run: async (argv, context) => {
    const { question, asJson, places, problems } = readArguments(argv);
    if (question === undefined) {
      context.writeError(`Cannot tell:\n${problems.map((each) => `  ${each}\n`).join("")}\n${HELP}`);
      return BAD_USAGE;
    }
    const found = placesOrFault(places);
    if (!isFault(found)) return await tell(question, found, { asJson, context });
    context.writeError(`${explain(found)}\n`);
    return NO_AGENT;
  },
};

async function tell(
  question: Question,
  places: readonly NodeSocket[],
  { asJson, context }: { asJson: boolean; context: CommandContext },
): Promise<number> {
  const answers = await Promise.all(places.map((place) => ask(place, question, context)));
  const told = answers.flatMap((answer) => (isFault(answer) ? [] : [answer]));
  for (const answer of answers) if (isFault(answer)) context.writeError(`${explain(answer)}\n`);
  const unknown = told.find((answer) => answer.kind === "unknown");
  if (unknown && question.ask === "explain" && told.every(({ kind }) => kind === "unknown"))
    context.writeError(`${unknownText(question.service, unknown)}\n`);
  else context.write(asJson ? jsonText(told) : text(told));
  if (told.length < answers.length) return NO_AGENT;
  return told.every(isFine) ? 0 : NOT_FINE;
}

async function ask({ socketPath }: NodeSocket, question: Question, { signal }: CommandContext) {
  try {
    return await askRouting(socketPath, question, { signal });
  } catch (error) {
    if (!isFault(error)) throw error;
    return error;
  }
}

function isFine(answer: Answer): boolean {
  if (answer.kind === "unknown") return false;
  if (answer.waitingFor.length > 0) return false;
  return answer.kind === "explain" || answer.problemCount === 0;
}

function text(answers: readonly Answer[]): string {
  const lists = answers.filter((answer): answer is ListAnswer => answer.kind === "list");
  const explained = answers.filter((answer): answer is ExplainAnswer => answer.kind === "explain");
  return `${lists.map(printList).join("\n")}${printExplanation(explained)}`;
}

function jsonText(answers: readonly Answer[]): string {
  if (answers.length === 0) return "";
  return `${JSON.stringify(answers.length === 1 ? answers[0] : answers, null, 2)}\n`;
}

function unknownText(name: string, { candidates, isAmbiguous }: UnknownAnswer): string {
  const listed = candidates.join(", ");
  if (isAmbiguous) return `Cannot tell which service ${JSON.stringify(name)} is: there are ${listed}`;
  return `Cannot find service ${JSON.stringify(name)}${candidates.length > 0 ? `; there is ${listed}` : ""}`;
}

function readArguments(argv: readonly string[]) {
  const words = argv.flatMap((word) =>
    word === "-o" ? ["--output"] : /^-o./.test(word) ? ["--output", word.slice(2)] : [word],
  );
  const valued = ["output", "name", "node", "socket", "from", "to", "port"];
  const { values, rest, problems } = takeOwnFlags(words, valued, []);
  const output = values.get("output") ?? "text";
  if (output !== "json" && output !== "text")
    problems.push(`--output: ${JSON.stringify(output)} is neither json nor text`);
  const [lab, node, socket] = ["name", "node", "socket"].map((name) => values.get(name));
  if (socket !== undefined && (lab ?? node) !== undefined)
    problems.push("--socket is for one agent; leave out --name and --node");
  const question = readQuestion(rest, values, problems);
  return {
    question: problems.length === 0 ? question : undefined,
    asJson: output === "json",
    places: () => nodeSockets({ lab, node, socket }, SERVICE_SOCKET),
    problems,
  };
}

function readQuestion(
  [word, name, ...more]: readonly string[],
  values: ReadonlyMap<string, string>,
  problems: string[],
): Question | undefined {
  if (word !== "list" && word !== "explain") {
    problems.push(
      word === undefined ? "list, or explain?" : `${JSON.stringify(word)} is neither list nor explain`,
    );
    return undefined;
  }
  const tooMuch = word === "list" ? [name, ...more] : more;
  for (const each of tooMuch)
    if (each !== undefined) problems.push(`${JSON.stringify(each)} is nothing that ${word} takes`);
  if (word === "list") {
    for (const flag of ["from", "to", "port"])
      if (values.has(flag)) problems.push(`--${flag} is for explain`);
    return { ask: "list" };
  }
  if (name === undefined || name === "") problems.push("which service? NAMESPACE/NAME");
  return { ask: "explain", service: name ?? "", ...readConnection(values, problems) };
}

function readConnection(values: ReadonlyMap<string, string>, problems: string[]) {
  const address = (flag: string) => {
    const value = values.get(flag);
    if (value === undefined) return undefined;
    if (isIp(value)) return parseIp(value);
    problems.push(`--${flag}: ${JSON.stringify(value)} is no IP address`);
    return undefined;
  };
  const [from, to, port] = [address("from"), address("to"), values.get("port")];
  if (port !== undefined && !(/^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535))
    problems.push(`--port: ${JSON.stringify(port)} is no port`);
  return { ...(from && { from }), ...(to && { to }), ...(port === undefined ? {} : { port: Number(port) }) };
}
