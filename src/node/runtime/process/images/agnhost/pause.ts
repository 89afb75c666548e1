import { untilAborted } from "../preamble.ts";
import type { Subcommand } from "./subcommand.ts";

export const pause: Subcommand = {
  summary: "Does nothing until it is told to stop",
  flags: [],
  async run({ signal }) {
    process.stdout.write("Paused\n");
    await untilAborted(signal);
    return 0;
  },
};
