/** What a proposal says of itself. It can add to what the catalogue knows, and contradict it, but never weaken it. */
import type { ActionShape, Connection } from "#act/connectors";
import { type FieldProblem, OarsError } from "#platform/kernel";

export interface Declared {
  readonly environment?: string | undefined;
  readonly dataTypes?: readonly string[] | undefined;
  readonly target?: string | undefined;
  readonly sessionId?: string | undefined;
}

/** The shape with the data types of both. Throws ACTION_INVALID with every contradiction. */
export function withDeclared(
  shape: ActionShape,
  connection: Pick<Connection, "name">,
  declared: Declared | undefined,
): ActionShape {
  if (declared === undefined) return shape;
  const { environment, dataTypes, target } = declared;
  const problems: FieldProblem[] = [];
  const contradicts = (path: string, message: string): void => {
    problems.push({ path, code: "CONTRADICTION", message });
  };
  if (environment !== undefined && plain(environment) !== plain(shape.environment))
    contradicts("context.environment", `the connection is of environment ${shape.environment}`);
  if (target !== undefined && !isOf(target, shape, connection))
    contradicts("resource.target", `the input acts on ${shape.target}; name that, or a part of it`);
  if (problems.length > 0) throw new OarsError("ACTION_INVALID", {}, { errors: problems });
  if (dataTypes === undefined) return shape;
  return { ...shape, dataTypes: [...new Set([...shape.dataTypes, ...dataTypes])] };
}

const plain = (text: string): string => text.trim().toLowerCase();

/** The connection's name, or what the connector worked out, or a part of that. */
function isOf(target: string, shape: ActionShape, connection: Pick<Connection, "name">): boolean {
  const stated = plain(target)
    .replace(/^[a-z][a-z0-9+.-]*:\/\//, "")
    .replace(/\/+$/, "");
  return stated !== "" && (stated === plain(connection.name) || plain(shape.target).includes(stated));
}
