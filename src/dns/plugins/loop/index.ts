import { TYPE } from "#wire/dns/numbers";
import { noArguments, type Plugin, type PluginHost } from "../../plugin.ts";
import { Reply } from "../../reply.ts";

const ATTEMPTS = 30;
const PAUSE_MS = 1000;
const QUIET_MS = 2000;
const MAX_SEEN = 2;

/** Finds out at start whether questions that are forwarded come back here, and ends the program if so: such a loop would
 *  eat the node. Nothing else stops it, because each turn looks like a fresh question. */
export const loop: Plugin = {
  name: "loop",
  configure([directive], block) {
    noArguments(directive);
    const zone = block.zones.find((each) => each !== ".") ?? ".";
    return (host) => {
      const probe = `${randomLabel(host)}.${randomLabel(host)}.${zone === "." ? "" : zone}`;
      let seen = 0;
      let isDone = false;
      void sendProbe(host, probe).then(() => {
        isDone = true;
      });
      return {
        link(query, next) {
          if (isDone || query.question.type !== TYPE.HINFO || query.question.name !== probe)
            return next(query);
          if (++seen > MAX_SEEN)
            host.fatal(
              `Loop (${query.peer.address}:${query.peer.port} -> ${host.server}) detected for zone "${zone}", see https://coredns.io/plugins/loop#troubleshooting: ` +
                "a nameserver in the file that forward reads leads back here. Query: " +
                `"HINFO ${probe}"`,
            );
          return seen > MAX_SEEN ? { reply: new Reply({}), by: "loop" } : next(query);
        },
      };
    };
  },
};

function randomLabel({ random }: PluginHost): string {
  return String(Math.floor(random() * Number.MAX_SAFE_INTEGER));
}

async function sendProbe({ askSelf, clock, signal }: PluginHost, probe: string): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS && !signal.aborted; attempt++) {
    try {
      await clock.sleep(PAUSE_MS, { signal });
      await askSelf(probe, TYPE.HINFO);
      await clock.sleep(QUIET_MS, { signal });
      return;
    } catch {
      // No answer yet: the listener or the upstream may still be coming up.
    }
  }
}
