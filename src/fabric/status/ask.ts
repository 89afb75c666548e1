import { Fault } from "#fault/fault";
import { askSocket } from "#kernel/ask-socket";
import type { FabricStatus } from "./model.ts";

/** More than ten thousand peers have to say. */
const MOST_BYTES = 64 << 20;
const ANSWER_WITHIN_MS = 10_000;

/** What the agent behind the socket says. @throws {Fault} "NoAgent" when nobody answers there, "BadStatus" */
export async function askStatus(
  socketPath: string,
  { signal }: { signal: AbortSignal },
): Promise<FabricStatus> {
  const text = await askSocket(socketPath, {
    mostBytes: MOST_BYTES,
    withinMs: ANSWER_WITHIN_MS,
    nobody: "no Twill with a fabric of its own runs here",
    signal,
  });
  try {
    const status: unknown = JSON.parse(text);
    if (isStatus(status)) return status;
  } catch {
    // Said below.
  }
  throw new Fault(
    "BadStatus",
    `Cannot read the fabric's status from ${socketPath}: it ends early, or is of another version of Twill`,
  );
}

/** Our own agent wrote it; what another version writes differs here first. */
function isStatus(value: unknown): value is FabricStatus {
  return (
    typeof value === "object" &&
    value !== null &&
    ["peers", "silent", "devices", "findings", "waitingFor", "podCidrs"].every((key) =>
      Array.isArray(Reflect.get(value, key)),
    ) &&
    ["guard", "rounds"].every((key) => typeof Reflect.get(value, key) === "object")
  );
}
