import { existsSync } from "node:fs";
import { findPrograms } from "../../../containerd/version.ts";
import { BIN_DIR } from "./containerd-world.ts";

/** Why tests with a containerd cannot be run here; undefined when they can. */
export function whyNoContainerd(): string | undefined {
  const found = findPrograms(process.env["PATH"] ?? "");
  if (found.kind === "missing") return `not installed: ${found.names.join(", ")}`;
  if (!existsSync(`${BIN_DIR}/bridge`)) return "not installed: containernetworking-plugins";
  if (!existsSync("/bin/busybox")) return "not installed: busybox-static";
  return undefined;
}
