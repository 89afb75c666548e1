/** What a carried program gets from the process around it. */
export interface ImageContext {
  /** Aborts on SIGTERM and SIGINT. */
  readonly signal: AbortSignal;
}

export type ImageMain = (argv: readonly string[], context: ImageContext) => Promise<number>;

/** Where a container finds the carried images, and so a sign that this is one. */
export const IMAGES_FOLDER = "/.twill/images";

/** Runs `main` as the whole process: ends with its code, and at once on a second signal.
 *
 *  The handlers are needed for more than grace: PID 1 of a namespace ignores every signal that it does not handle. */
export function runImage(main: ImageMain): void {
  const stop = new AbortController();
  const onSignal = () => {
    if (stop.signal.aborted) process.exit(0);
    stop.abort();
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  main(process.argv.slice(2), { signal: stop.signal }).then(
    (code) => process.exit(code),
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
      process.exit(stop.signal.aborted ? 0 : 1);
    },
  );
}

/** Resolves when `signal` aborts, and keeps the process alive until then, which a signal handler alone does not. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout;
    const hold = () => {
      timer = setTimeout(hold, 2 ** 31 - 1);
    };
    hold();
    signal.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
