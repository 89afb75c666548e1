import { parseIp } from "#addr/ip";
import { addressRecord, srvRecord } from "#wire/dns/record";
import { noArguments, type Plugin } from "../../plugin.ts";
import { Reply } from "../../reply.ts";

/** Tells a client its own address and port, in the additional section. */
export const whoami: Plugin = {
  name: "whoami",
  configure([directive]) {
    noArguments(directive);
    return () => ({
      link({ question, peer }) {
        const owner = `_${peer.protocol}.${question.name === "." ? "" : question.name}`;
        const additional = [
          addressRecord(question.name, 0, parseIp(peer.address)),
          srvRecord(owner, 0, { priority: 0, weight: 0, port: peer.port, target: "." }),
        ];
        return { reply: new Reply({ additional, isAuthoritative: true }), by: "whoami" };
      },
    });
  },
};
