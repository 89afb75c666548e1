import { constants } from "node:os";
import { SyscallFault } from "#fault/kernel-fault";
import type { LinkFeatures } from "../kernel.ts";
import type { FakeNamespace } from "./namespace.ts";

export function fakeFeatures(here: FakeNamespace): LinkFeatures {
  return {
    fillsChecksums: (name) => here.findLink(name)?.fillsChecksums,
    setFillsChecksums(name, isWanted) {
      const link = here.findLink(name);
      if (!link) throw new SyscallFault("ask the device", name, constants.errno.ENODEV);
      link.fillsChecksums = isWanted;
    },
  };
}
