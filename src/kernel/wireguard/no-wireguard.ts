import { Fault } from "#fault/fault";

/** Why device `name` cannot be made on this machine, and what to do. */
export function noWireguard(name: string): Fault {
  return new Fault(
    "NoWireguard",
    `Cannot make WireGuard device ${name}: this kernel has no WireGuard (modprobe wireguard), and wireguard-go, which does ` +
      "without, is not installed or has no /dev/net/tun. Install the module with your kernel (Linux 5.6 and later have it), or: " +
      "apt-get install wireguard-go",
    { detail: { name } },
  );
}
