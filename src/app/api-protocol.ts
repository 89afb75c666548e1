import type { Cidr } from "#addr/cidr";
import type { Ip } from "#addr/ip";
import type { Certified } from "#join/certificate";
import type { ClusterConfig } from "#join/cluster-config";
import type { ApiServerArgs } from "./config/apiserver-args.ts";
import type { SigningKeyset } from "./controllers.ts";

/** What the API's thread is started with. */
export interface ApiTask {
  readonly serverDir: string;
  readonly cluster: ClusterConfig;
  readonly sans: readonly string[];
  readonly token: string | undefined;
  readonly agentToken: string | undefined;
  readonly advertise: { readonly ip: Ip; readonly port: number };
  readonly bindAddress: string | undefined;
  readonly listenFds: readonly number[];
  readonly serviceCidrs: readonly Cidr[];
  readonly apiServer: ApiServerArgs;
  readonly isDebug: boolean;
}

/** What it says once it answers; why it cannot, or no longer can. */
export type ApiNews =
  | {
      readonly kind: "ready";
      readonly serverCaPem: string;
      readonly admin: Certified;
      readonly controller: Certified;
      readonly scheduler: Certified;
      readonly cloudController: Certified;
      /** What this server's controllers sign with. */
      readonly signing: SigningKeyset;
      /** Full, for this server's own agent. */
      readonly token: string;
    }
  | { readonly kind: "failed"; readonly code: string; readonly message: string };
