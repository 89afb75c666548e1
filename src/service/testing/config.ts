import { parseCidr } from "#addr/cidr";
import type { ServiceConfig } from "../model.ts";

/** Both families, with the addresses `translate` gives. */
export const TEST_CONFIG: ServiceConfig = {
  localPods: { kind: "cidrs", cidrs: [parseCidr("10.42.0.0/16"), parseCidr("fd42::/56")] },
  serviceCidrs: [parseCidr("10.43.0.0/16"), parseCidr("fd43::/112")],
};
