import { FAMILIES, FAMILY, type Family } from "#addr/family";
import { type Ip, ipFromBytes } from "#addr/ip";
import type { NlAttributes } from "./netlink-attribute.ts";
import { WireError } from "./wire-error.ts";

/** The family whose address family number is `af`, if it is one of ours. */
export function familyOfAf(af: number | undefined): Family | undefined {
  return FAMILIES.find((family) => FAMILY[family].af === af);
}

/** An address of `family` in attribute `type`. @throws {WireError} when its length is another family's */
export function readIp(attributes: NlAttributes, type: number, family: Family): Ip | undefined {
  const bytes = attributes.get(type);
  if (bytes === undefined) return undefined;
  if (bytes.length !== FAMILY[family].bytes)
    throw new WireError(
      "netlink attribute",
      `type ${type} has ${bytes.length} bytes, no IPv${family} address`,
    );
  return ipFromBytes(bytes);
}
