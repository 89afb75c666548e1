import { Fault } from "#fault/fault";

export interface Place {
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
}

/** A Corefile that cannot be used; the message starts with the place, as CoreDNS says it. */
export class CorefileFault extends Fault<"Corefile"> {
  constructor(place: Place, why: string) {
    super("Corefile", `${place.file}:${place.line} - Error during parsing: ${why}`, { detail: { ...place } });
    this.name = "CorefileFault";
  }
}
