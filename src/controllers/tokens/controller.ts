import { isApiFault } from "#kube/api-fault";
import type { Secret, ServiceAccount } from "#kube/generated/types";
import { isDeleting } from "#kube/owner";
import { SECRETS } from "#kube/resources";
import { type ControllerContext, openQueue } from "../context.ts";
import { legacyClaims, type SignToken } from "./legacy-claims.ts";

const ACCOUNT_NAME = "kubernetes.io/service-account.name";
const ACCOUNT_UID = "kubernetes.io/service-account.uid";

/** Secrets of type kubernetes.io/service-account-token hold a token of the account they name, the server's authority and their namespace; they go with
 *  the account. Nobody makes such secrets but users. @see kubernetes pkg/controller/serviceaccount/tokens_controller.go */
export function runTokenSecrets(context: ControllerContext, sign: SignToken): void {
  const { tokenSecrets, serviceAccounts } = context.informers;
  const queue = openQueue(context, "serviceaccount-token", {
    workers: 2,
    work: async (key) => {
      const secret = tokenSecrets.get(key);
      if (secret !== undefined && !isDeleting(secret)) await settle(context, sign, secret);
      return undefined;
    },
  });
  tokenSecrets.subscribe((change) => {
    if (change.type !== "removed") queue.add(change.key);
  });
  serviceAccounts.subscribe((change) => {
    const { namespace, name } = (change.type === "removed" ? change.before : change.object).metadata;
    for (const secret of tokenSecrets.list())
      if (secret.metadata.namespace === namespace && secret.metadata.annotations?.[ACCOUNT_NAME] === name)
        queue.add(`${namespace}/${secret.metadata.name}`);
  });
}

async function settle(context: ControllerContext, sign: SignToken, secret: Secret): Promise<void> {
  const { client, informers, serverCa } = context;
  const { namespace = "", name, uid, annotations = {} } = secret.metadata;
  const account = informers.serviceAccounts.get(`${namespace}/${annotations[ACCOUNT_NAME] ?? ""}`);
  if (account === undefined || !isOf(secret, account)) {
    await client.delete(SECRETS, { namespace, name }, uid === undefined ? {} : { uid });
    return;
  }
  const wanted = {
    "ca.crt": encode(serverCa),
    namespace: encode(namespace),
    token: secret.data?.["token"] || encode(sign(legacyClaims(secret, account))),
  };
  const isRight =
    annotations[ACCOUNT_UID] === account.metadata.uid &&
    Object.entries(wanted).every(([key, value]) => secret.data?.[key] === value);
  if (isRight) return;
  try {
    await client.replace(SECRETS, {
      ...secret,
      metadata: {
        ...secret.metadata,
        annotations: { ...annotations, [ACCOUNT_UID]: account.metadata.uid ?? "" },
      },
      data: { ...secret.data, ...wanted },
    });
  } catch (error) {
    if (!isApiFault(error, "NotFound")) throw error;
  }
}

/** Whether the secret is of this very account, and not of one that had its name before. */
function isOf({ metadata }: Secret, account: ServiceAccount): boolean {
  const uid = metadata.annotations?.[ACCOUNT_UID] ?? "";
  return uid === "" || uid === account.metadata.uid;
}

function encode(text: string): string {
  return Buffer.from(text).toString("base64");
}
