import type { ServiceAccount } from "#kube/generated/types";
import { SERVICE_ACCOUNTS } from "#kube/resources";
import { kindSpec } from "../base.ts";
import type { KindSpec } from "../kind.ts";
import { ageColumn, nameColumn, printer } from "../print/printer.ts";

/** Its pods may use no secrets but those that the account names. */
export const MOUNTABLE = "kubernetes.io/enforce-mountable-secrets";

export const serviceAccounts: KindSpec<ServiceAccount> = kindSpec<ServiceAccount>({
  resource: SERVICE_ACCOUNTS,
  definition: "io.k8s.api.core.v1.ServiceAccount",
  shortNames: ["sa"],
  deleteReturnsObject: true,
  warnings: ({ metadata }, stored) =>
    metadata.annotations?.[MOUNTABLE] === undefined || stored?.metadata.annotations?.[MOUNTABLE] !== undefined
      ? []
      : [
          `metadata.annotations[${MOUNTABLE}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets`,
        ],
  ...printer<ServiceAccount>([nameColumn, ageColumn]),
});
