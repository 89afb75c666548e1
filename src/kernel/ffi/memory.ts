/** Memory that the kernel is told the address of. */
import koffi from "koffi";

/** Runs `f` with the address of `bytes` zeroed bytes, which are gone afterwards. */
export function withMemory<T>(bytes: number, f: (address: bigint) => T): T {
  const memory: unknown = koffi.alloc("uint8_t", Math.max(1, bytes));
  try {
    return f(koffi.address(memory));
  } finally {
    koffi.free(memory);
  }
}
