import { toJsonText } from "#orchestrate/engine";
import { OarsError } from "#platform/kernel";

const refuse = (path: string, code: string, message: string): never => {
  throw new OarsError("REQUEST_INVALID", {}, { errors: [{ path, code, message }] });
};

/** JSON text of a value that the database can keep. Throws REQUEST_INVALID: U+0000, half a surrogate pair, too large. */
export function storable(path: string, value: unknown): string {
  const json = toJsonText(value);
  if ("fault" in json) return refuse(path, json.fault.code, json.fault.message);
  return json.text ?? "null";
}

/** The output of a step with forEach is a list. Throws REQUEST_INVALID. */
export function requireList(path: string, value: unknown): void {
  if (!Array.isArray(value)) refuse(path, "invalid_type", "must be a list, as the step has forEach");
}
