import { rcodeName, typeName } from "#wire/dns/numbers";
import type { Link, Plugin, PluginHost } from "../../plugin.ts";
import type { Query } from "../../query.ts";
import type { Sent } from "../../reply.ts";
import { type Consolidation, parseErrors } from "./config.ts";

/** Logs why a question got no proper answer. */
export const errors: Plugin = {
  name: "errors",
  configure([directive]) {
    const consolidations = parseErrors(directive);
    return (host) => ({ link: errorsLink(host, consolidations) });
  },
};

function errorsLink(host: PluginHost, consolidations: readonly Consolidation[]): Link {
  const counts = new Map<Consolidation, number>();
  const note = (query: Query, sent: Sent): Sent => {
    if (sent.failure === undefined) return sent;
    const text = `${sent.reply.rcode} ${query.question.name} ${typeName(query.question.type)}: ${sent.failure}`;
    const consolidation = consolidations.find(({ pattern }) => pattern.test(sent.failure ?? ""));
    if (consolidation === undefined) host.log.error(text, { rcode: rcodeName(sent.reply.rcode) });
    else count(consolidation);
    return sent;
  };
  const count = (consolidation: Consolidation) => {
    const seen = counts.get(consolidation) ?? 0;
    counts.set(consolidation, seen + 1);
    if (seen === 0) void report(consolidation);
  };
  const report = async (consolidation: Consolidation) => {
    const { periodMs, pattern, level } = consolidation;
    await host.clock.sleep(periodMs, { signal: host.signal }).catch(() => {});
    host.log[level](
      `${counts.get(consolidation)} errors like '${pattern.source}' occurred in last ${periodMs / 1000}s`,
    );
    counts.delete(consolidation);
  };
  return (query, next) => {
    const sent = next(query);
    return sent instanceof Promise ? sent.then((late) => note(query, late)) : note(query, sent);
  };
}
