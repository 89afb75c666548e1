import { type Name, nameKey } from "#wire/dns/name";
import { RCODE, TYPE } from "#wire/dns/numbers";
import { nameRecord } from "#wire/dns/record";
import type { PluginHost } from "../../plugin.ts";
import type { Query } from "../../query.ts";
import { Reply } from "../../reply.ts";
import type { Outcome } from "./responder.ts";

export interface ExternalOptions {
  readonly ttl: number;
  readonly resolve: PluginHost["resolve"];
  /** Whether a name lies in a zone that this plugin answers for. */
  readonly isOurs: (name: Name) => boolean;
}

/** The alias of an ExternalName service, and for questions about addresses what it leads to, asked through this server's
 *  own chain. An alias that leads nowhere is left out, so that the client does not follow it for nothing. */
export function externalReply(
  external: string,
  query: Query,
  { ttl, resolve, isOurs }: ExternalOptions,
): Outcome | Promise<Outcome> {
  const target = nameKey(external);
  const { name, type } = query.question;
  const alias = nameRecord(name, TYPE.CNAME, ttl, target);
  if (type === TYPE.CNAME)
    return { kind: "reply", reply: new Reply({ answers: [alias], isAuthoritative: true, isLive: true }) };
  if ((type !== TYPE.A && type !== TYPE.AAAA) || target === name) return { kind: "no-data" };
  return follow(target, type, query, isOurs(target), resolve).then((answers) =>
    answers === undefined
      ? { kind: "no-data" }
      : { kind: "reply", reply: new Reply({ answers: [alias, ...answers], isAuthoritative: true }) },
  );
}

/** The records at the end of an alias. Undefined leaves the alias out: nobody could be asked, or it leads to a name of
 *  this cluster that is not there. Elsewhere an alias to nothing is still an alias. */
async function follow(
  target: Name,
  type: number,
  query: Query,
  isOurs: boolean,
  resolve: PluginHost["resolve"],
): Promise<Reply["answers"] | undefined> {
  const { reply } = await resolve(target, type, query);
  if (reply.isBare) return undefined;
  return isOurs && (reply.rcode !== RCODE.NOERROR || reply.answers.length === 0) ? undefined : reply.answers;
}
