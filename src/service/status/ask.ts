import { Fault } from "#fault/fault";
import { askSocket } from "#kernel/ask-socket";
import type { Answer, Question } from "./model.ts";

/** More than all services an answer lists have to say. */
const MOST_BYTES = 64 << 20;
const ANSWER_WITHIN_MS = 10_000;
const LISTS: Readonly<Record<Answer["kind"], readonly string[]>> = {
  list: ["waitingFor", "services", "problems"],
  explain: ["waitingFor", "problems"],
  unknown: ["candidates"],
};

/** What the agent behind the socket says. @throws {Fault} "NoAgent" when nobody answers there, "BadStatus" */
export async function askRouting(
  socketPath: string,
  question: Question,
  { signal }: { signal: AbortSignal },
): Promise<Answer> {
  const text = await askSocket(socketPath, {
    question: `${JSON.stringify(question)}\n`,
    mostBytes: MOST_BYTES,
    withinMs: ANSWER_WITHIN_MS,
    nobody: "no Twill that routes services runs here",
    signal,
  });
  try {
    const answer: unknown = JSON.parse(text);
    if (isAnswer(answer)) return answer;
  } catch {
    // Said below.
  }
  throw new Fault(
    "BadStatus",
    `Cannot read what ${socketPath} answers about services: it ends early, or is of another version of Twill`,
  );
}

/** Our own agent wrote it; what another version writes differs here first. */
function isAnswer(value: unknown): value is Answer {
  if (typeof value !== "object" || value === null) return false;
  const kind: unknown = Reflect.get(value, "kind");
  const lists =
    typeof kind === "string" && Object.hasOwn(LISTS, kind) ? LISTS[kind as Answer["kind"]] : undefined;
  if (!lists?.every((key) => Array.isArray(Reflect.get(value, key)))) return false;
  return (
    kind !== "explain" ||
    ["explanation", "connections"].every((key) => typeof Reflect.get(value, key) === "object")
  );
}
