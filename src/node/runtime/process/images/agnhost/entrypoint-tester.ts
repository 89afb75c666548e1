import type { Subcommand } from "./subcommand.ts";

export const entrypointTester: Subcommand = {
  summary: "Prints the arguments it was started with, and ends",
  flags: [],
  isRaw: true,
  async run({ args }) {
    // Upstream prints Go's form of a string slice, program name and subcommand included.
    process.stdout.write(`[${["/agnhost", "entrypoint-tester", ...args].join(" ")}]\n`);
    return 0;
  },
};
