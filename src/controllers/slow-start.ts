/** Calls `act` `count` times in batches of 1, 2, 4, 8 and so on, and stops after a batch with a failure: what is refused once is
 *  refused a thousand times. Returns how many succeeded; the first error, if any, is thrown after its batch. */
export async function slowStart(count: number, act: () => Promise<void>): Promise<number> {
  let done = 0;
  for (let batch = 1; done < count; batch *= 2) {
    const size = Math.min(batch, count - done);
    const results = await Promise.allSettled(Array.from({ length: size }, act));
    const failed = results.find((result) => result.status === "rejected");
    if (failed) throw failed.reason;
    done += size;
  }
  return done;
}
