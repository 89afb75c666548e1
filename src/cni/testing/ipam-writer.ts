/** `node ipam-writer.ts DIR PREFIX CIDR...`: takes addresses as fast as it can and says each once it has it, until it is
 *  killed. Every third it gives back, and says so before it begins. */
import { writeSync } from "node:fs";
import { parseCidr } from "#addr/cidr";
import { Ipam } from "../ipam.ts";

const [dir = "", prefix = "", ...cidrs] = process.argv.slice(2);
const ipam = new Ipam(
  dir,
  cidrs.map((text) => parseCidr(text)),
);
for (let n = 0; ; n++) {
  const key = { containerId: `${prefix}-${n}`, ifname: "eth0" };
  writeSync(1, `has ${key.containerId} ${ipam.reserve(key).join(" ")}\n`);
  if (n % 3 !== 0) continue;
  writeSync(1, `frees ${key.containerId}\n`);
  ipam.release(key);
}
