import type { Pod } from "#kube/generated/types";
import { type Amounts, containerAmounts } from "#kube/pod-amounts";
import type { Quantity } from "#kube/quantity";
import type { Admission, AdmissionRequest } from "../../admit.ts";
import { objectKey } from "../../cache/resource-cache.ts";
import { forbidden, type ResourceName } from "../../status.ts";
import { type Account, appliesTo, formatAmounts, type QuotaLedger } from "./ledger.ts";
import { computeUsage } from "./usage.ts";

/** If a quota limits one of these, every container has to say how much of it it wants. */
const MUST_BE_SAID = ["cpu", "limits.cpu", "limits.memory", "memory", "requests.cpu", "requests.memory"];

/** Refuses what would use more than a quota of its namespace allows, and keeps the room for what is let in until it is stored.
 *  @see apiserver/pkg/admission/plugin/resourcequota in kubernetes */
export function quotaAdmission(ledger: QuotaLedger): Admission {
  return {
    name: "ResourceQuota",
    reserve: (request, { dryRun }) => {
      const { namespace, spec, draft } = request;
      if (namespace === undefined || !isCounted(request)) return undefined;
      ledger.follow(spec.resource);
      const shares = new Map<Account, Amounts>();
      for (const account of ledger.accountsOf(namespace)) {
        const share = shareOf(ledger, account, request);
        if (share.size > 0) shares.set(account, share);
      }
      for (const [account, share] of shares) refuseExcess(account, share, request);
      return dryRun || shares.size === 0 ? undefined : ledger.claim(spec.resource, draft, shares);
    },
  };
}

/** Only what is new uses anything up, or what can grow. */
function isCounted({ operation, subresource, spec }: AdmissionRequest): boolean {
  const { group, plural } = spec.resource;
  if (operation === "create") return subresource === undefined;
  if (operation !== "update" || group !== "") return false;
  if (plural === "pods") return subresource === "resize";
  return subresource === undefined && (plural === "services" || plural === "persistentvolumeclaims");
}

/** How much more of the quota the object uses than now. */
function shareOf(ledger: QuotaLedger, account: Account, request: AdmissionRequest): Amounts {
  const { spec, draft, stored, namespace } = request;
  const resource: ResourceName = spec.resource;
  if (!appliesTo(account, resource, draft)) return new Map();
  if (resource.plural === "pods" && resource.group === "") refuseUnsaid(account, request);
  const usage = ledger.measure(account, resource, draft);
  const key = objectKey(namespace, request.name);
  const before = stored === undefined ? undefined : ledger.countedFor(account, resource, key);
  const more = new Map<string, Quantity>();
  for (const [name, { nanos, format }] of usage) {
    const grown = nanos - (before?.get(name)?.nanos ?? 0n);
    if (grown > 0n) more.set(name, { nanos: grown, format });
  }
  return more;
}

function refuseUnsaid({ quota, hard }: Account, { spec, draft, name }: AdmissionRequest): void {
  const pod: Pod = draft;
  const missing = new Map<string, string[]>();
  const needed = MUST_BE_SAID.filter((limit) => hard.has(limit));
  if (needed.length === 0 || saysForAll(pod)) return;
  for (const container of [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])]) {
    const said = computeUsage(containerAmounts(container, "requests"), containerAmounts(container, "limits"));
    for (const limit of needed)
      if (!said.has(limit)) missing.set(limit, [...(missing.get(limit) ?? []), container.name]);
  }
  if (missing.size === 0) return;
  const parts = [...missing].map(([limit, containers]) => `${limit} for: ${containers.sort().join(",")}`);
  throw forbidden(
    spec.resource,
    name,
    `failed quota: ${quota.metadata.name}: must specify ${parts.join("; ")}`,
  );
}

/** Whether the pod asks for its containers together: they need not say anything then. */
function saysForAll({ spec }: Pod): boolean {
  const names = [spec?.resources?.requests, spec?.resources?.limits].flatMap((all) => Object.keys(all ?? {}));
  return names.some((name) => name === "cpu" || name === "memory" || name.startsWith("hugepages-"));
}

function refuseExcess(
  { quota, hard, used, pending }: Account,
  share: Amounts,
  request: AdmissionRequest,
): void {
  const requested = new Map<string, Quantity>();
  const inUse = new Map<string, Quantity>();
  const limited = new Map<string, Quantity>();
  for (const [name, more] of share) {
    const limit = hard.get(name);
    if (limit === undefined) continue;
    const taken = (used.get(name)?.nanos ?? 0n) + (pending.get(name)?.nanos ?? 0n);
    if (taken + more.nanos <= limit.nanos) continue;
    requested.set(name, more);
    inUse.set(name, { nanos: taken, format: used.get(name)?.format ?? limit.format });
    limited.set(name, limit);
  }
  if (requested.size === 0) return;
  throw forbidden(
    request.spec.resource,
    request.name,
    `exceeded quota: ${quota.metadata.name}, requested: ${formatAmounts(requested)}, used: ${formatAmounts(inUse)}, limited: ${formatAmounts(limited)}`,
  );
}
