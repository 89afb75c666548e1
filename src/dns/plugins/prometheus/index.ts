import { OPT_BYTES } from "#wire/dns/edns";
import { packedRecords } from "../../packed-records.ts";
import type { Plugin } from "../../plugin.ts";
import type { Query } from "../../query.ts";
import type { Sent } from "../../reply.ts";
import { parsePrometheus } from "./config.ts";
import { openCounts } from "./counts.ts";

/** Counts and times every question, and serves what the whole server measures. */
export const prometheus: Plugin = {
  name: "prometheus",
  configure([directive], block) {
    const address = parsePrometheus(directive);
    const [zone = "."] = block.zones;
    return async (host) => {
      await host.http.serve(
        address,
        {
          "/metrics": () => ({
            status: 200,
            type: "text/plain; version=0.0.4; charset=utf-8",
            body: host.metrics.expose(),
          }),
        },
        host.signal,
      );
      const counts = openCounts(host, zone);
      const note = (query: Query, sent: Sent, startedMs: number): Sent => {
        const records = packedRecords(sent.reply, query.question).bytes.length;
        const bytes = query.question.end + records + (query.edns === undefined ? 0 : OPT_BYTES);
        counts.note(query, sent, bytes, (performance.now() - startedMs) / 1000);
        return sent;
      };
      return {
        link(query, next) {
          const startedMs = performance.now();
          const sent = next(query);
          return sent instanceof Promise
            ? sent.then((late) => note(query, late, startedMs))
            : note(query, sent, startedMs);
        },
      };
    };
  },
};
