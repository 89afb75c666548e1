import { type Ip, ipToBytes } from "#addr/ip";
import { type Mac, macFromBytes } from "#addr/mac";

/** The MAC of whoever has an address: whoever has it next has the MAC too, and nobody's neighbour table is stale. `0a:58` is
 *  locally administered. */
export function macOf(ip: Ip): Mac {
  return macFromBytes(Uint8Array.of(0x0a, 0x58, ...ipToBytes(ip).subarray(-4)));
}
