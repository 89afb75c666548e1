import { CorefileFault } from "../../corefile/fault.ts";
import type { Directive } from "../../corefile/parse.ts";
import { unknownProperty } from "../../plugin.ts";
import { zonesOr } from "../../zones-argument.ts";

export type LogClass = "success" | "denial" | "error" | "all";

export interface LogConfig {
  readonly zones: readonly string[];
  readonly format: string;
  readonly classes: readonly LogClass[];
}

const COMMON =
  '{remote}:{port} - {>id} "{type} {class} {name} {proto} {size} {>do} {>bufsize}" {rcode} {>rflags} {rsize} {duration}';
const FORMATS: Readonly<Record<string, string>> = {
  "{common}": COMMON,
  "{combined}": `${COMMON} "{>opcode}"`,
};
const CLASSES: readonly LogClass[] = ["success", "denial", "error", "all"];

export function parseLog(directive: Directive): LogConfig {
  const args = [...directive.args];
  const last = args.at(-1);
  const format = last?.includes("{") ? args.pop() : undefined;
  let classes: readonly LogClass[] = ["all"];
  for (const line of directive.body) {
    if (line.name !== "class") throw unknownProperty(directive, line);
    classes = line.args.map((word) => {
      const known = CLASSES.find((each) => each === word);
      if (known === undefined)
        throw new CorefileFault(line, `'${word}' is no class: use ${CLASSES.join(", ")}`);
      return known;
    });
  }
  return {
    zones: zonesOr(args, directive, ["."]),
    format: FORMATS[format ?? ""] ?? format ?? COMMON,
    classes,
  };
}
