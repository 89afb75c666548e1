import type { Plugin } from "../../plugin.ts";
import { parseHealth } from "./config.ts";

/** Says `OK` over HTTP as long as the process lives. */
export const health: Plugin = {
  name: "health",
  configure([directive]) {
    const { address, lameduckMs } = parseHealth(directive);
    return async ({ http, clock, signal, log }) => {
      await http.serve(address, { "/health": () => ({ status: 200, body: "OK" }) }, signal);
      if (lameduckMs === 0) return {};
      return {
        async beforeStop() {
          log.info("going into lameduck mode", { seconds: lameduckMs / 1000 });
          await clock.sleep(lameduckMs, { signal: AbortSignal.any([]) });
        },
      };
    };
  },
};
