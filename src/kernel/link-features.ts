import { isFault } from "#fault/fault";
import { Fd } from "./fd.ts";
import * as libc from "./ffi/libc.ts";
import { askDevice } from "./ffi/probe-calls.ts";
import type { LinkFeatures } from "./kernel.ts";

const AF_INET = 2;
const SOCK_DGRAM = 2;
/** The question by ioctl, not by generic netlink: that came with Linux 5.8, and the kernels that need it are older. Of a vxlan
 *  it means `tx-checksum-ip-generic`, the one such feature it has. @see linux/ethtool.h, ETHTOOL_GTXCSUM, ETHTOOL_STXCSUM */
const GET_TX_CHECKSUMS = 0x16;
const SET_TX_CHECKSUMS = 0x17;

/** `inside` runs each question in the namespace whose devices are meant. */
export function openLinkFeatures(inside: <T>(f: () => T) => T): LinkFeatures {
  const ask = (link: string, question: Uint32Array) =>
    inside(() => {
      using fd = new Fd(libc.socket(AF_INET, SOCK_DGRAM | libc.SOCK_CLOEXEC, 0), "device features");
      askDevice(fd.number, link, question);
    });
  return {
    fillsChecksums(link) {
      const question = Uint32Array.of(GET_TX_CHECKSUMS, 0);
      try {
        ask(link, question);
      } catch (error) {
        if (isFault(error) && error.code === "ENODEV") return undefined;
        throw error;
      }
      return question[1] !== 0;
    },
    setFillsChecksums: (link, isWanted) => ask(link, Uint32Array.of(SET_TX_CHECKSUMS, Number(isWanted))),
  };
}
