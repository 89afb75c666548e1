import { RCODE } from "#wire/dns/numbers";
import type { Plugin } from "../../plugin.ts";
import type { Sent } from "../../reply.ts";
import { checkLoadbalance } from "./config.ts";

/** Deals the addresses of each answer in a new order, so that clients which take the first one spread out. */
export const loadbalance: Plugin = {
  name: "loadbalance",
  configure([directive]) {
    checkLoadbalance(directive);
    return () => ({
      link(query, next) {
        const sent = next(query);
        return sent instanceof Promise ? sent.then(shuffled) : shuffled(sent);
      },
    });
  },
};

function shuffled(sent: Sent): Sent {
  if (sent.reply.rcode !== RCODE.NOERROR || sent.reply.answers.length < 2) return sent;
  return { ...sent, isShuffled: true };
}
