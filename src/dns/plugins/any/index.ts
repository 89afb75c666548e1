import { RCODE, TYPE } from "#wire/dns/numbers";
import { textRecord } from "#wire/dns/record";
import { noArguments, type Plugin } from "../../plugin.ts";
import { Reply } from "../../reply.ts";

const TTL = 8482;

/** Answers the question for everything with next to nothing. @see RFC 8482 */
export const any: Plugin = {
  name: "any",
  configure([directive]) {
    noArguments(directive);
    return () => ({
      link(query, next) {
        if (query.question.type !== TYPE.ANY) return next(query);
        const record = textRecord(query.question.name, TYPE.HINFO, TTL, ["ANY obsoleted", "See RFC 8482"]);
        return {
          reply: new Reply({ rcode: RCODE.NOERROR, answers: [record], isAuthoritative: true }),
          by: "any",
        };
      },
    });
  },
};
