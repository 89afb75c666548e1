import type { Admission, AdmissionRequest, AdmissionTarget } from "../admit.ts";
import type { WriteContext } from "../kinds/kind.ts";

/** All links of admission, asked in their order. */
export class AdmissionLinks {
  readonly #links: readonly Admission[];

  constructor(links: readonly Admission[]) {
    this.#links = links;
  }

  /** Runs one half of admission; the changing half once more when somebody outside changed what others had seen. @throws {StatusFault} */
  async run(step: "mutate" | "validate", request: AdmissionRequest, context: WriteContext): Promise<void> {
    let isChanged = false;
    for (const link of this.#links) {
      if (request.isJudged && link.isDynamic) continue;
      const done = link[step]?.(request, context);
      // A promise only where there is something to wait for: a turn of the loop for each link would cost every write.
      if (done !== undefined && (await done) === "changed") isChanged = true;
    }
    if (isChanged && !request.isAgain) await this.run(step, { ...request, isAgain: true }, context);
  }

  /** Asks what users have set up about something that is not stored as it comes, such as a binding. @throws {StatusFault} */
  async runDynamic(request: AdmissionRequest, context: WriteContext): Promise<void> {
    const links = new AdmissionLinks(this.#links.filter(({ isDynamic }) => isDynamic));
    await links.runBoth(request, context);
  }

  async runBoth(request: AdmissionRequest, context: WriteContext): Promise<void> {
    await this.run("mutate", request, context);
    await this.run("validate", request, context);
  }

  /** Lets every link take what the write uses up; all of it is given back on disposal. @throws {StatusFault} */
  reserve(request: AdmissionRequest, context: WriteContext): Disposable {
    const taken = new DisposableStack();
    try {
      for (const link of this.#links) taken.use(link.reserve?.(request, context));
      return taken;
    } catch (error) {
      taken.dispose();
      throw error;
    }
  }

  /** Whether the write may have to wait for somebody outside. */
  waits(target: AdmissionTarget): boolean {
    return this.#links.some((link) => !(target.isJudged && link.isDynamic) && link.waits?.(target) === true);
  }
}
