const IP = { 4: 20, 6: 40 } as const;
const UDP = 8;
/** VXLAN's header and the inner frame's. */
const VXLAN = 8 + 14;
/** WireGuard's header and tag. */
const WIREGUARD = 16 + 16;

/** What each way puts around a packet, in bytes, by the family that it travels over. */
export const OVERHEAD_BYTES = {
  vxlan: { 4: IP[4] + UDP + VXLAN, 6: IP[6] + UDP + VXLAN },
  "host-gw": { 4: 0, 6: 0 },
  wireguard: { 4: IP[4] + UDP + WIREGUARD, 6: IP[6] + UDP + WIREGUARD },
} as const;

/** What a WireGuard device's MTU leaves for it: as over IPv6, for peers may move there. Flannel does so too. */
export const WIREGUARD_MARGIN_BYTES = OVERHEAD_BYTES.wireguard[6];
