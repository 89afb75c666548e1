import type { ServiceAccount } from "#kube/generated/types";
import { SERVICE_ACCOUNTS } from "#kube/resources";
import { kindSpec } from "../base.ts";
import type { KindSpec } from "../kind.ts";
import { ageColumn, nameColumn, printer } from "../print/printer.ts";

export const serviceAccounts: KindSpec<ServiceAccount> = kindSpec<ServiceAccount>({
  resource: SERVICE_ACCOUNTS,
  definition: "io.k8s.api.core.v1.ServiceAccount",
  shortNames: ["sa"],
  deleteReturnsObject: true,
  ...printer<ServiceAccount>([nameColumn, ageColumn]),
});
