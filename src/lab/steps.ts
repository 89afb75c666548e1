/** A line a step, with the time it took; a step that takes long says every second what it waits for. */
export interface Steps {
  run<T>(what: string, work: (progress: (waitingFor: string) => void) => Promise<T> | T): Promise<T>;
  /** Seconds since the first step began. */
  readonly seconds: () => number;
}

const SPEAK_MS = 1000;

export function openSteps(write: (text: string) => void, now: () => number = () => performance.now()): Steps {
  const began = now();
  const seconds = () => (now() - began) / 1000;
  const line = (text: string) => write(`${`${seconds().toFixed(1)}s`.padStart(7)}  ${text}\n`);
  return {
    seconds,
    async run(what, work) {
      let waitingFor = "";
      const timer = setInterval(
        () => line(`... ${what}${waitingFor === "" ? "" : `: ${waitingFor}`}`),
        SPEAK_MS,
      );
      try {
        const result = await work((text) => {
          waitingFor = text;
        });
        line(what);
        return result;
      } catch (error) {
        line(`could not: ${what}${waitingFor === "" ? "" : ` (${waitingFor})`}`);
        throw error;
      } finally {
        clearInterval(timer);
      }
    },
  };
}
