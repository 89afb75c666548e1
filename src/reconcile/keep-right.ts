import { Cell } from "#life/cell";
import { type ReconcileOptions, reconcile } from "./loop.ts";

/** As `reconcile`, for rooms that need no plan: `putRight` looks and changes what it must, and returns what that was, in words.
 *  The first look is now. */
export async function keepRight(
  putRight: () => readonly string[],
  options: Omit<ReconcileOptions<void>, "snapshots" | "onRound">,
): Promise<void> {
  const now = new Cell<void>();
  now.set();
  await reconcile<void, "right" | readonly string[], string>(
    {
      desired: () => "right",
      // Looking is also putting right: what is left for the plan is to tell of it.
      observe: () => {
        const found = putRight();
        return found.length === 0 ? "right" : found;
      },
      plan: (_, found) => (found === "right" ? [] : found),
      render: (found) => found.join("\n"),
      apply: () => ({ state: "right", faults: [] }),
    },
    { ...options, snapshots: now.values(options) },
  );
}
