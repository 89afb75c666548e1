import { zoneOf } from "#wire/dns/name";
import { className, FLAG, RCODE, rcodeName, typeName } from "#wire/dns/numbers";
import { packedRecords } from "../../packed-records.ts";
import type { Plugin } from "../../plugin.ts";
import type { Query } from "../../query.ts";
import type { Sent } from "../../reply.ts";
import { type LogClass, type LogConfig, parseLog } from "./config.ts";

/** Writes a line per question. */
export const log: Plugin = {
  name: "log",
  isRepeatable: true,
  configure(directives) {
    const configs = directives.map(parseLog);
    return (host) => {
      const write = (query: Query, sent: Sent, startedMs: number): Sent => {
        const config = configs.find(({ zones }) => zoneOf(query.question.name, zones) !== undefined);
        if (config && isWanted(config, sent))
          host.log.info(formatLine(config.format, query, sent, startedMs));
        return sent;
      };
      return {
        link(query, next) {
          const startedMs = performance.now();
          const sent = next(query);
          return sent instanceof Promise
            ? sent.then((late) => write(query, late, startedMs))
            : write(query, sent, startedMs);
        },
      };
    };
  },
};

function isWanted({ classes }: LogConfig, { reply }: Sent): boolean {
  return classes.includes("all") || classes.includes(classOf(reply));
}

function classOf({ rcode, answers }: Sent["reply"]): LogClass {
  if (rcode === RCODE.NXDOMAIN || (rcode === RCODE.NOERROR && answers.length === 0)) return "denial";
  return rcode === RCODE.NOERROR ? "success" : "error";
}

function formatLine(format: string, query: Query, sent: Sent, startedMs: number): string {
  const values = fieldsOf(query, sent, startedMs);
  return format.replace(/\{([^{}]+)\}/g, (whole, name: string) => values[name]?.() ?? whole);
}

function fieldsOf(query: Query, sent: Sent, startedMs: number): Readonly<Record<string, () => string>> {
  const { question, peer, edns, message, id } = query;
  return {
    remote: () => (peer.address.includes(":") ? `[${peer.address}]` : peer.address),
    port: () => String(peer.port),
    local: () => peer.localAddress,
    type: () => typeName(question.type),
    class: () => className(question.class),
    name: () => question.name,
    proto: () => peer.protocol,
    size: () => String(message.length),
    rcode: () => rcodeName(sent.reply.rcode),
    rsize: () => String(question.end + packedRecords(sent.reply, question).bytes.length + (edns ? 11 : 0)),
    duration: () => `${((performance.now() - startedMs) / 1000).toFixed(9)}s`,
    ">id": () => String(id),
    ">do": () => String(edns?.wantsDnssec ?? false),
    ">bufsize": () => String(edns?.udpBytes ?? 512),
    ">rflags": () => flagsOf(query, sent),
    ">opcode": () => String((query.flags >> 11) & 15),
  };
}

function flagsOf({ flags }: Query, { reply }: Sent): string {
  const words = [
    "qr",
    reply.isAuthoritative && "aa",
    reply.isTruncated && "tc",
    (flags & FLAG.RD) !== 0 && "rd",
    reply.recursionAvailable && "ra",
    reply.isAuthentic && "ad",
    (flags & FLAG.CD) !== 0 && "cd",
  ];
  return words.filter((word) => word !== false).join(",");
}
