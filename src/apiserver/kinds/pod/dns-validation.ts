import type { PodSpec } from "#kube/generated/types";
import { validIp } from "../field/addresses.ts";
import { invalid, notSupported, problems, required } from "../field/error.ts";
import { underscoreSubdomainProblems } from "../field/names.ts";
import type { FieldError } from "../kind.ts";

const DNS_POLICIES = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
const MAX_NAMESERVERS = 3;
const MAX_SEARCHES = 32;
const MAX_SEARCH_CHARACTERS = 2048;

/** How the pod's names are resolved. */
export function validateDns(path: string, { dnsPolicy, dnsConfig }: PodSpec): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (!dnsPolicy) errors.push(required(`${path}.dnsPolicy`));
  else if (!DNS_POLICIES.includes(dnsPolicy))
    errors.push(notSupported(`${path}.dnsPolicy`, dnsPolicy, DNS_POLICIES));
  const at = `${path}.dnsConfig`;
  if (dnsPolicy === "None" && dnsConfig === undefined)
    return [...errors, required(at, "must provide `dnsConfig` when `dnsPolicy` is None")];
  const { nameservers = [], searches = [], options = [] } = dnsConfig ?? {};
  if (dnsPolicy === "None" && nameservers.length === 0)
    return [
      ...errors,
      required(`${at}.nameservers`, "must provide at least one DNS nameserver when `dnsPolicy` is None"),
    ];
  if (nameservers.length > MAX_NAMESERVERS)
    errors.push(
      invalid(`${at}.nameservers`, nameservers, `must not have more than ${MAX_NAMESERVERS} nameservers`),
    );
  errors.push(
    ...nameservers.flatMap((ip, i) => validIp(`${at}.nameservers[${i}]`, ip)),
    ...validateSearches(`${at}.searches`, searches),
  );
  options.forEach(({ name }, i) => {
    if (!name) errors.push(required(`${at}.options[${i}]`, "must not be empty"));
  });
  return errors;
}

function validateSearches(path: string, searches: readonly string[]): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (searches.length > MAX_SEARCHES)
    errors.push(invalid(path, searches, `must not have more than ${MAX_SEARCHES} search paths`));
  if (searches.join(" ").length > MAX_SEARCH_CHARACTERS)
    errors.push(
      invalid(
        path,
        searches,
        `must not have more than ${MAX_SEARCH_CHARACTERS} characters (including spaces) in the search list`,
      ),
    );
  for (const [i, search] of searches.entries()) {
    const name = search.replace(/\.$/, "");
    if (search !== ".") errors.push(...problems(`${path}[${i}]`, name, underscoreSubdomainProblems(name)));
  }
  return errors;
}
