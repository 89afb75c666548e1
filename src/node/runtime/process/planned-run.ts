import { randomBytes } from "node:crypto";
import type { ContainerConfig } from "../runtime.ts";
import { requireImage } from "./carried-images.ts";
import { containerCgroup } from "./container-cgroup.ts";
import type { RunRecord } from "./record.ts";
import { recordedRights } from "./security.ts";
import { userOf } from "./users.ts";

/** What is written down about a container's run before anything of it is made. */
export function plannedRun(
  config: ContainerConfig,
  around: {
    readonly bootId: string;
    /** The pod's; undefined where no limits are kept. */
    readonly cgroupParent: string | undefined;
    readonly createdAt: string;
  },
): RunRecord {
  const { podUid, name, attempt, image, imageRef, hash, logPath } = config;
  const { bootId, cgroupParent, createdAt } = around;
  const id = randomBytes(32).toString("hex");
  const rights = recordedRights(config.security);
  const home = userOf(rights.uid)?.home ?? "/";
  return {
    version: 1,
    bootId,
    run: {
      ...{ id, podUid, name, attempt, image, imageRef, hash, logPath, createdAt, startedAt: createdAt },
      user: { uid: rights.uid, gid: rights.gid, supplementalGroups: rights.groups },
    },
    terminationMessage: { fallBackToLogs: config.terminationMessage.fallBackToLogs },
    exit: undefined,
    env: { ...requireImage(image).env, HOSTNAME: config.hostname ?? "", HOME: home, ...config.env },
    workingDir: config.workingDir ?? "/",
    rights,
    cgroup: cgroupParent === undefined ? undefined : containerCgroup(cgroupParent, id),
    hasOwnPids: config.pid === "container",
    interaction: { stdin: config.stdin, stdinOnce: config.stdinOnce, tty: config.tty },
  };
}
