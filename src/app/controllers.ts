import { join } from "node:path";
import { SigningKeys } from "#apiserver/auth/signing-keys";
import type { CertificateSigner } from "#controllers/certificates/signer";
import { runControllers } from "#controllers/run";
import type { Certified } from "#join/certificate";
import { signRequest } from "#join/sign-request";
import type { KubeClient } from "#kube/client";
import { lead } from "#kube/leader-election";
import { systemClock } from "#life/clock";
import type { Logger } from "#telemetry/log";
import type { ServerConfig } from "./config/config.ts";
import { ownId } from "./own-id.ts";

interface Means {
  readonly client: KubeClient;
  readonly schedulerClient: KubeClient;
  readonly serverCa: string;
  readonly signing: SigningKeyset;
}

/** The authorities' keys, and that of service accounts; PEM. */
export interface SigningKeyset {
  readonly clientCa: Certified;
  readonly serverCa: Certified;
  readonly serviceAccountKey: string;
}

/** Runs the controllers while this server is the one of the cluster that leads, until aborted. */
export async function leadControllers(
  { node, cluster, nodeMask }: ServerConfig,
  { client, schedulerClient, serverCa, signing }: Means,
  { log, signal }: { readonly log: Logger; readonly signal: AbortSignal },
): Promise<void> {
  const identity = `${node.name}_${ownId(join(node.dataDir, "server/controllers-id"))}`;
  await lead(
    client,
    { namespace: "kube-system", name: "kube-controller-manager", identity, clock: systemClock, log, signal },
    (leading) =>
      runControllers({
        client,
        schedulerClient,
        clusterCidrs: cluster.clusterCidrs,
        nodeMask,
        serverCa,
        ...signersOf(signing),
        clock: systemClock,
        log,
        signal: leading,
      }),
  );
}

/** What controllers sign with: they see what is signed, never the keys. */
function signersOf({ clientCa, serverCa, serviceAccountKey }: SigningKeyset) {
  const keys = new SigningKeys({ privateKey: serviceAccountKey, publicKey: "" });
  const certificates: CertificateSigner = {
    sign: (order) => signRequest(order.authority === "client" ? clientCa : serverCa, order),
  };
  return { certificates, signToken: (claims: object) => keys.sign(claims) };
}
