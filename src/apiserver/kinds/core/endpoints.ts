import type { Endpoints } from "#kube/endpoints";
import { ENDPOINTS } from "#kube/resources";
import { kindSpec } from "../base.ts";
import type { KindSpec } from "../kind.ts";
import { ageColumn, nameColumn, printer, text } from "../print/printer.ts";
import { NONE, someOf } from "../print/words.ts";

export const endpoints: KindSpec<Endpoints> = kindSpec<Endpoints>({
  resource: ENDPOINTS,
  definition: "io.k8s.api.core.v1.Endpoints",
  shortNames: ["ep"],
  createsOnUpdate: true,
  defaults: (draft) => {
    for (const subset of draft.subsets ?? []) for (const port of subset.ports ?? []) port.protocol ||= "TCP";
  },
  ...printer<Endpoints>([nameColumn, text("Endpoints", endpointsText), ageColumn]),
});

function endpointsText(object: Endpoints): string {
  const words = (object.subsets ?? []).flatMap(({ addresses = [], ports = [] }) =>
    ports.length === 0
      ? addresses.map(({ ip }) => ip)
      : ports.flatMap(({ port }) =>
          addresses.map(({ ip }) => (ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`)),
        ),
  );
  return words.length === 0 ? NONE : someOf(words, 3);
}
