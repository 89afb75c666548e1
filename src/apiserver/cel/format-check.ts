import type { Call } from "./ast.ts";
import type { Compiler } from "./compile.ts";
import type { Compiled, Part } from "./frame.ts";
import { type Clause, MISFITS, readFormat } from "./library/format-parse.ts";
import { showType, type Type } from "./types.ts";

const SHOWN: Readonly<Record<Clause["verb"], readonly Type["kind"][]>> = {
  s: "list map int uint double bool string timestamp bytes duration type null".split(" ") as Type["kind"][],
  d: ["int", "uint"],
  f: ["double", "string"],
  e: ["double", "string"],
  b: ["int", "uint", "bool"],
  o: ["int", "uint"],
  x: ["int", "uint", "string", "bytes"],
  X: ["int", "uint", "string", "bytes"],
};

/** Notes what is wrong between a literal format and the list it is given, where both stand in the expression. */
export function checkFormat(
  compiler: Compiler,
  { target, args, at }: Call,
  items: readonly Compiled[],
): void {
  const [list] = args;
  if (target?.kind !== "literal" || typeof target.value !== "string" || list?.kind !== "list") return;
  const given = items.at(-1)?.items ?? [];
  let next = 0;
  for (const piece of readFormat(target.value)) {
    if (typeof piece === "string") continue;
    const arg = given[next];
    next++;
    if ("problem" in piece) return void compiler.wrong(at, piece.problem);
    if (arg === undefined) return void compiler.wrong(at, `index ${next - 1} out of range`);
    const bad = misfit(piece.verb, arg);
    if (bad !== undefined)
      return void compiler.wrong(
        bad.at,
        `error during formatting: ${MISFITS[piece.verb]}, was given ${plainName(bad.type)}`,
      );
  }
  if (list.items.length > next)
    compiler.wrong(
      at,
      `too many arguments supplied to string.format (expected ${next}, got ${list.items.length})`,
    );
}

/** The first of an argument's parts that a clause cannot show. */
function misfit(verb: Clause["verb"], item: Part): Part | undefined {
  const { type, items = [] } = item;
  if (type.kind !== "dyn" && !SHOWN[verb].includes(type.kind)) return item;
  return verb === "s"
    ? items.map((inner) => misfit(verb, inner)).find((bad) => bad !== undefined)
    : undefined;
}

/** A type's name without what it is made of. */
function plainName(type: Type): string {
  if (type.kind === "timestamp") return "google.protobuf.Timestamp";
  if (type.kind === "duration") return "google.protobuf.Duration";
  if (type.kind === "null") return "null_type";
  return showType(type).replace(/\(.*/, "");
}
