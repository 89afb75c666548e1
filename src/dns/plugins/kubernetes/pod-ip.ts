import { type Ip, isIp, parseIp } from "#addr/ip";

/** The address that a label such as `10-42-0-7` or `2001-db8--7` spells; undefined for any other label. */
export function podIp(label: string): Ip | undefined {
  const dashes = label.split("-").length - 1;
  const text =
    dashes === 3 && !label.includes("--") ? label.replaceAll("-", ".") : label.replaceAll("-", ":");
  return isIp(text) ? parseIp(text) : undefined;
}
