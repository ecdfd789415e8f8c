import { code, generatedNotice, table } from "./markdown.ts";

/** The parts of an OpenAPI 3.1 document that the page shows. */
export interface OpenApi {
  readonly info: { readonly description?: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

interface Operation {
  readonly tags?: readonly string[];
  readonly summary?: string;
  readonly description?: string;
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
    readonly description?: string;
  }[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly description?: string; readonly content?: Content }>>;
}

type Content = Readonly<Record<string, { readonly schema?: { readonly $ref?: string } }>>;

interface Endpoint {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

/** docs/reference/api.md */
export function renderApi(document: OpenApi): string {
  const endpoints = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(
      ([method, operation]): Endpoint => ({ method: method.toUpperCase(), path, operation }),
    ),
  );
  const tags = [...new Set(endpoints.map(tagOf))];
  const sections = tags.map((tag) => {
    const members = endpoints.filter((e) => tagOf(e) === tag).map(toSection);
    return `## ${tag}\n\n${members.join("\n\n")}`;
  });
  const about = document.info.description ? [document.info.description] : [];
  const full =
    "Schemas in full: [openapi.json](openapi.json), on a running server `/openapi.json` and `/swagger-ui`.";
  return `${["# HTTP API", generatedNotice, ...about, full, ...sections].join("\n\n")}\n`;
}

const tagOf = ({ operation }: Endpoint): string => operation.tags?.[0] ?? "other";

function toSection({ method, path, operation }: Endpoint): string {
  const parts = [`### ${method} ${path}`];
  if (operation.summary) parts.push(operation.summary);
  if (operation.description) parts.push(operation.description);
  const parameters = (operation.parameters ?? []).map((p) => [
    code(p.name),
    p.required ? `${p.in}, required` : p.in,
    p.description ?? "",
  ]);
  if (parameters.length > 0) parts.push(table(["Parameter", "In", "Meaning"], parameters));
  if (operation.requestBody) parts.push(`Body: ${contentOf(operation.requestBody.content)}.`);
  const answers = Object.entries(operation.responses).map(
    ([status, r]) =>
      `- ${status === "default" ? "otherwise" : status}: ${contentOf(r.content) || (r.description ?? "")}`,
  );
  parts.push(answers.join("\n"));
  return parts.join("\n\n");
}

const contentOf = (content: Content = {}): string =>
  Object.entries(content)
    .map(([type, { schema }]) => {
      const name = schema?.$ref?.split("/").at(-1);
      return name ? `${code(name)} as ${code(type)}` : code(type);
    })
    .join(" or ");
