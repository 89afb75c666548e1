import { decodeFamily, encodeFamilyQuery, GENL_ID_CTRL } from "#wire/genetlink";
import {
  decodeDevicePart,
  encodeDeviceChange,
  encodeDeviceQuery,
  mergeDevice,
  WIREGUARD_FAMILY,
} from "#wire/wireguard-netlink";
import type { WireguardChange, WireguardDevice } from "../kernel.ts";
import { NetlinkError, tolerating } from "../netlink-error.ts";
import { NETLINK_GENERIC, NetlinkSocket } from "../netlink-socket.ts";

/** WireGuard of the kernel, for devices of the namespace this was opened in. */
export class InKernelWireguard implements Disposable {
  readonly #socket = new NetlinkSocket(NETLINK_GENERIC);
  /** Its number while the kernel has the module. */
  #family: number | undefined;

  /** Whether this kernel has WireGuard now; one that has it as a module loads that. */
  isThere(): boolean {
    this.#family ??= tolerating(["ENOENT"], () => {
      const query = { type: GENL_ID_CTRL, op: "find WireGuard", parts: encodeFamilyQuery(WIREGUARD_FAMILY) };
      return decodeFamily(this.#socket.get(query)).id;
    });
    return this.#family !== undefined;
  }

  /** @returns undefined for a link that is absent or another kind's */
  read(name: string): WireguardDevice | undefined {
    const parts = tolerating(["ENODEV", "EOPNOTSUPP"], () =>
      this.#again(`read WireGuard device ${name}`, (request) =>
        this.#socket.dump({ ...request, parts: encodeDeviceQuery(name) }, decodeDevicePart),
      ),
    );
    return parts && mergeDevice(parts);
  }

  /** Several requests where there is much to say: what the first ones changed stays when a later one is refused. */
  configure(name: string, change: WireguardChange): void {
    for (const parts of encodeDeviceChange(name, change))
      this.#again(`configure WireGuard device ${name}`, (request) =>
        this.#socket.change({ ...request, parts }),
      );
  }

  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]();
  }

  /** A module that was taken out and loaded again may have another number. */
  #again<T>(op: string, ask: (request: { type: number; op: string }) => T): T {
    for (const isLast of [false, true]) {
      if (!this.isThere() || this.#family === undefined)
        throw new NetlinkError(op, { errno: ENOENT, extAck: undefined, offset: undefined });
      const answer = tolerating(isLast ? [] : ["ENOENT"], () => ({
        value: ask({ type: this.#family ?? 0, op }),
      }));
      if (answer) return answer.value;
      this.#family = undefined;
    }
    throw new Error("broken invariant: the last attempt answers or throws");
  }
}
const ENOENT = 2;
