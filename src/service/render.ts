/** Operations as nft text: for golden files and the debug log, and for a program's replacement the text that is run. */
import { FAMILY } from "#addr/family";
import { TABLE } from "./chains.ts";
import type { ElementChange, ServiceOp } from "./model.ts";

/** A log line is no place for ten thousand elements. */
const SHOWN = 200;

export function renderServices(ops: readonly ServiceOp[]): string {
  return ops.map(renderOp).join("");
}

function renderOp(op: ServiceOp): string {
  switch (op.op) {
    case "check":
      return "# check that the programs stand\n";
    case "load":
    case "chains":
      return op.text;
    case "elements": {
      const more = op.changes.length - SHOWN;
      return `${elementsText(op.changes.slice(0, SHOWN))}${more > 0 ? `# and ${more} more\n` : ""}`;
    }
    case "forget-flows": {
      const lines = [...op.answerers].map(
        ([to, ips]) => `# forget UDP to ${to} not answered by ${[...ips].join(", ")}\n`,
      );
      return lines.slice(0, SHOWN).join("");
    }
    default:
      return op satisfies never;
  }
}

/** One command a change; libnftables takes a long list of them as one transaction. */
export function elementsText(changes: readonly ElementChange[]): string {
  return changes
    .map(({ op, family, set, key, data }) => {
      const value = op === "add" && data !== "" ? ` : ${data}` : "";
      return `${op} element ${FAMILY[family].nft} ${TABLE} ${set} { ${key}${value} }\n`;
    })
    .join("");
}
