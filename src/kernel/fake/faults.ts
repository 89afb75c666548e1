import { constants } from "node:os";
import { NetlinkError } from "../netlink-error.ts";

export type ErrnoName = keyof typeof constants.errno;

/** Refusals waiting to happen, by the name of the call that will meet them. */
export class Faults {
  readonly #waiting = new Map<string, { errno: ErrnoName; times: number }>();

  /** The next `times` calls of `call` throw `errno` and change nothing. */
  fail(call: string, errno: ErrnoName, times: number): void {
    this.#waiting.set(call, { errno, times });
  }

  /** @throws {NetlinkError} when a refusal waits for `call` */
  meet(call: string): void {
    const fault = this.#waiting.get(call);
    if (!fault || fault.times <= 0) return;
    fault.times -= 1;
    throw refusal(call, fault.errno, "injected");
  }
}

/** `api` whose every method first meets the faults waiting under its name, and is counted by `onCall`. */
export function faulty<T extends object>(api: T, faults: Faults, onCall: (call: string) => void): T {
  return new Proxy(api, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function" || typeof name !== "string") return value;
      return (...args: readonly unknown[]): unknown => {
        onCall(name);
        faults.meet(name);
        return Reflect.apply(value, target, args);
      };
    },
  });
}

/** The kernel's refusal of `op`. */
export function refusal(op: string, errno: ErrnoName, extAck?: string): NetlinkError {
  return new NetlinkError(op, { errno: constants.errno[errno], extAck, offset: undefined });
}
