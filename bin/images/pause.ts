import { runImage, untilAborted } from "#node/runtime/process/images/preamble";

runImage(async (_argv, { signal }) => {
  await untilAborted(signal);
  return 0;
});
