import type { Service } from "#kube/generated/types";
import type { Draft } from "../kind.ts";

export function carryOver(_draft: Draft, _stored: Service): void {}

export function wipeForType(_draft: Draft, _stored: Service | undefined): void {}
