import type { Plugin } from "../../plugin.ts";
import { parseReady } from "./config.ts";

/** Says over HTTP whether every plugin has what it needs to answer. */
export const ready: Plugin = {
  name: "ready",
  configure([directive]) {
    const { address, isContinuous } = parseReady(directive);
    return async ({ http, signal, unready }) => {
      let wasReady = false;
      const page = () => {
        if (signal.aborted) return { status: 503, body: "Shutting down" };
        const waiting = wasReady && !isContinuous ? [] : unready();
        wasReady ||= waiting.length === 0;
        return waiting.length === 0 ? { status: 200, body: "OK" } : { status: 503, body: waiting.join(",") };
      };
      await http.serve(address, { "/ready": page }, signal);
      return {};
    };
  },
};
