import { parseCidr } from "#addr/cidr";
import { Fault } from "#fault/fault";
import type { Service } from "#kube/generated/types";
import { printable } from "#telemetry/printable";

const ANNOTATION = "service.beta.kubernetes.io/load-balancer-source-ranges";
const EVERYBODY = "0.0.0.0/0";

/** Who may connect, as the pods are told: networks with commas between them; everybody unless the Service says. The annotation counts
 *  only where the field is empty. @throws {Fault} BadRanges; @see cloud-provider service/helpers GetLoadBalancerSourceRanges */
export function sourceRanges(service: Service): string {
  const { spec, metadata } = service;
  const listed = spec?.loadBalancerSourceRanges ?? [];
  const ranges = listed.length > 0 ? fromField(listed) : fromAnnotation(metadata.annotations?.[ANNOTATION]);
  const hasIpv6 = spec?.ipFamilies?.includes("IPv6") ?? false;
  // The default names one family; it means both.
  return ranges === EVERYBODY && hasIpv6 ? `${EVERYBODY},::/0` : ranges;
}

function fromField(ranges: readonly string[]): string {
  try {
    return networks(ranges);
  } catch (cause) {
    const shown = printable(ranges.slice(0, 5).join(" "));
    const why = `service.Spec.LoadBalancerSourceRanges: [${shown}] is not valid. Expecting a list of IP ranges. For example, 10.0.0.0/24`;
    throw new Fault("BadRanges", why, { cause });
  }
}

function fromAnnotation(text = ""): string {
  const value = text.trim() || EVERYBODY;
  try {
    return networks(value.split(","));
  } catch (cause) {
    const why = `${ANNOTATION}: ${printable(value.slice(0, 200))} is not valid. Expecting a comma-separated list of source IP ranges. For example, 10.0.0.0/24,192.168.2.0/24`;
    throw new Fault("BadRanges", why, { cause });
  }
}

/** In the order given, each once, without host bits. */
function networks(texts: readonly string[]): string {
  return [...new Set(texts.map((text) => parseCidr(text.trim(), { hostBits: "clear" })))].join(",");
}
