import { join } from "node:path";
import { Fault } from "#fault/fault";

/** Everything an instance of our own has on disk. */
export interface Places {
  /** Images, snapshots and metadata; kept over reboots. */
  readonly root: string;
  /** What only means something until the next boot. */
  readonly state: string;
  readonly socket: string;
  readonly config: string;
  /** Folder of the config: templates, drop-ins and `certs.d` of registries beside it. */
  readonly configDir: string;
  readonly certsDir: string;
  readonly log: string;
  /** Which process it is, and what it was started with. */
  readonly record: string;
  /** Files in here are imported at start. */
  readonly images: string;
}

export const DEFAULT_STATE = "/run/k3s/containerd";

/** sockaddr_un(7): 108 bytes with the zero at the end. */
const LONGEST_SOCKET = 107;
/** containerd opens a second socket with this after the name of the first. */
const TTRPC = ".ttrpc";

/** K3s's places. @throws {Fault} "BadPlace" when the kernel could not hold the socket's path */
export function placesOf({
  dataDir,
  stateDir = DEFAULT_STATE,
}: {
  dataDir: string;
  stateDir?: string;
}): Places {
  const agent = join(dataDir, "agent");
  const configDir = join(agent, "etc/containerd");
  const root = join(agent, "containerd");
  const socket = join(stateDir, "containerd.sock");
  const excess = Buffer.byteLength(socket + TTRPC) - LONGEST_SOCKET;
  if (excess > 0)
    throw new Fault(
      "BadPlace",
      `Cannot put containerd's socket at ${socket}: a socket's path has at most ${LONGEST_SOCKET} bytes, and with ${TTRPC} ` +
        `after it this one has ${excess} more; choose a shorter folder`,
    );
  return {
    root,
    state: stateDir,
    socket,
    config: join(configDir, "config.toml"),
    configDir,
    certsDir: join(configDir, "certs.d"),
    log: join(root, "containerd.log"),
    record: join(stateDir, "twill.json"),
    images: join(agent, "images"),
  };
}
