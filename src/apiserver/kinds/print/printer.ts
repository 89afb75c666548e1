import type { KubeObject } from "#kube/object";
import type { Cell, Column, KindSpec } from "../kind.ts";
import { ageOf } from "./age.ts";

/** A column with the function that fills it. */
export interface PrintColumn<T> extends Column {
  cell(object: T, now: number): Cell;
}

/** The printing half of a KindSpec: each column beside its cell. */
export function printer<T extends KubeObject>(
  columns: readonly PrintColumn<T>[],
): Pick<KindSpec<T>, "columns" | "cells"> {
  return {
    columns: columns.map(({ cell: _, ...column }) => column),
    cells: (object, now) => columns.map((column) => column.cell(object, now)),
  };
}

export const nameColumn: PrintColumn<KubeObject> = {
  name: "Name",
  type: "string",
  format: "name",
  priority: 0,
  cell: (object) => object.metadata.name,
};

export const ageColumn: PrintColumn<KubeObject> = {
  name: "Age",
  type: "string",
  priority: 0,
  cell: (object, now) => ageOf(object.metadata.creationTimestamp, now),
};

/** The second column of every kind that has no printer of its own. */
export const createdAtColumn: PrintColumn<KubeObject> = {
  name: "Created At",
  type: "date",
  priority: 0,
  cell: (object) => object.metadata.creationTimestamp ?? "",
};

/** A column of text, as its type says; kube-apiserver puts numbers into some of them all the same. */
export function text<T>(name: string, cell: (object: T, now: number) => string | number): PrintColumn<T> {
  return { name, type: "string", priority: 0, cell };
}

/** A column shown with `-o wide` only. */
export function wide<T>(name: string, cell: (object: T, now: number) => string | number): PrintColumn<T> {
  return { name, type: "string", priority: 1, cell };
}

export function count<T>(name: string, cell: (object: T) => number | undefined): PrintColumn<T> {
  return { name, type: "integer", priority: 0, cell: (object) => cell(object) ?? 0 };
}

export function flag<T>(name: string, cell: (object: T) => boolean | undefined): PrintColumn<T> {
  return { name, type: "boolean", priority: 0, cell: (object) => cell(object) ?? false };
}
