import { type Variable, variables } from "../../apps/server/src/platform/config/index.ts";
import { code, generatedNotice, table } from "./markdown.ts";

type Row = readonly [name: string, variable: Variable<unknown>];

const rows: readonly Row[] = Object.entries(variables);
const groups = [...new Set(rows.map(([, v]) => v.group))];

/** docs/reference/configuration.md */
export function renderConfiguration(): string {
  const sections = groups.map((group) => {
    const members = rows.filter(([, v]) => v.group === group);
    return `## ${group}\n\n${table(["Variable", "Value", "Default", "Meaning"], members.map(toCells))}`;
  });
  return `${[
    "# Configuration",
    generatedNotice,
    "The server reads environment variables and nothing else. It reports every problem at once and does not start; it also refuses `OARS_` variables that it does not know. An empty variable counts as not set. Names in *also* are names of earlier systems for the same setting: setting both to different values is an error.",
    ...sections,
  ].join("\n\n")}\n`;
}

function toCells([name, variable]: Row): string[] {
  const aliases = variable.aliases.length > 0 ? `<br>*also* ${variable.aliases.map(code).join(", ")}` : "";
  const secret = variable.secret ? " Secret: never printed." : "";
  return [
    `${code(name)}${aliases}`,
    variable.reader.type,
    defaultOf(variable),
    variable.description + secret,
  ];
}

function defaultOf({ preset, otherwise = "" }: Variable<unknown>): string {
  const { development, production } = preset;
  if (development === null || production === null) return otherwise;
  const show = (text: string): string => (text === "" ? "empty" : code(text));
  return development === production
    ? show(development)
    : `${show(development)}, in production ${show(production)}`;
}

/** .env.example: every variable, commented out, with its default. */
export function renderEnvExample(): string {
  const sections = groups.map((group) => {
    const members = rows.filter(([, v]) => v.group === group).map(toLines);
    return `# ---- ${group} ----\n\n${members.join("\n\n")}`;
  });
  const head = `# Settings of the server. ${generatedNotice}
# Copy to .env, uncomment what you change, start with: node --env-file=.env
# Never commit .env: it holds secrets.`;
  return `${[head, ...sections].join("\n\n")}\n`;
}

function toLines([name, variable]: Row): string {
  const value = variable.preset.production ?? "";
  const plain = (text: string): string => text.replaceAll("`", "");
  const remark = plain(`${variable.reader.type}; default: ${defaultOf(variable)}`);
  return [...wrapped(plain(variable.description)), ...wrapped(remark), `#${name}=${value}`].join("\n");
}

function wrapped(text: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length > 98) lines.push(`# ${word}`);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}
