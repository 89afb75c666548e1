import type { ObjectReference } from "./generated/types.ts";
import type { KubeObject } from "./object.ts";

export interface EndpointAddress {
  readonly ip: string;
  readonly hostname?: string | undefined;
  readonly nodeName?: string | undefined;
  readonly targetRef?: ObjectReference | undefined;
}

export interface EndpointSubset {
  readonly addresses?: readonly EndpointAddress[] | undefined;
  readonly notReadyAddresses?: readonly EndpointAddress[] | undefined;
  readonly ports?:
    | readonly {
        readonly name?: string | undefined;
        readonly port: number;
        readonly protocol?: string | undefined;
        readonly appProtocol?: string | undefined;
      }[]
    | undefined;
}

/** The older form of EndpointSlice; typed by hand, because both have an `EndpointPort`. */
export interface Endpoints extends KubeObject {
  readonly subsets?: readonly EndpointSubset[] | undefined;
}
