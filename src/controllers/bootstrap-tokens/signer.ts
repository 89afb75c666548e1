import { createHmac } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { CONFIG_MAPS } from "#kube/resources";
import { type ControllerContext, openQueue } from "../context.ts";
import { signingToken } from "./fields.ts";

const KEY = "kube-public/cluster-info";
const SIGNATURE_PREFIX = "jws-kubeconfig-";

/** ConfigMap kube-public/cluster-info, where somebody has made one, is signed with every bootstrap token that may sign: who holds a token can tell that
 *  the cluster it leads to is the right one. @see kubernetes pkg/controller/bootstrap/bootstrapsigner.go */
export function runClusterInfoSigner(context: ControllerContext): void {
  const { clusterInfos, bootstrapTokens } = context.informers;
  const queue = openQueue(context, "bootstrap-signer", { workers: 1, work: () => sign(context) });
  clusterInfos.subscribe((change) => {
    if (change.type !== "removed") queue.add(KEY);
  });
  bootstrapTokens.subscribe(() => queue.add(KEY));
}

async function sign({ client, clock, informers }: ControllerContext): Promise<undefined> {
  const info = informers.clusterInfos.get(KEY);
  const kubeconfig = info?.data?.["kubeconfig"];
  if (info === undefined || kubeconfig === undefined) return undefined;
  const tokens = informers.bootstrapTokens
    .list()
    .flatMap((secret) => signingToken(secret, clock.now()) ?? []);
  const others = Object.entries(info.data ?? {}).filter(([name]) => !name.startsWith(SIGNATURE_PREFIX));
  const data = Object.fromEntries([
    ...others,
    ...tokens.map(({ id, secret }) => [
      `${SIGNATURE_PREFIX}${id}`,
      detachedSignature(kubeconfig, { id, secret }),
    ]),
  ]);
  if (!isDeepStrictEqual(data, info.data)) await client.replace(CONFIG_MAPS, { ...info, data });
  return undefined;
}

/** A JSON web signature (HS256) without what it signs: `header..signature`. */
export function detachedSignature(
  content: string,
  token: { readonly id: string; readonly secret: string },
): string {
  const encode = (text: string) => Buffer.from(text).toString("base64url");
  const header = encode(JSON.stringify({ alg: "HS256", kid: token.id }));
  const signature = createHmac("sha256", token.secret)
    .update(`${header}.${encode(content)}`)
    .digest("base64url");
  return `${header}..${signature}`;
}
