import { Fault } from "#fault/fault";

/** Bytes or text that are not what their protocol says. Decoders throw nothing else. */
export class WireError extends Fault<"Malformed"> {
  constructor(what: string, why: string) {
    super("Malformed", `Cannot read ${what}: ${why}`);
    this.name = "WireError";
  }
}
