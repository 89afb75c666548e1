/** Where wireguard-go listens, and `wg` looks for it: built into both. */
export const SOCKET_DIR = "/var/run/wireguard";

export interface WireguardFolders {
  /** Of the programs' sockets. One other than the usual keeps machines apart that share their files. */
  readonly sockets: string;
  readonly logs: string;
}

export const USUAL_FOLDERS: WireguardFolders = { sockets: SOCKET_DIR, logs: "/run/twill" };
