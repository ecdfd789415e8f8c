import { XMLParser } from "fast-xml-parser";
import type { Json } from "#platform/kernel";

export interface XmlShape {
  readonly removeNamespaces: boolean;
  readonly attributePrefix: string;
  /** Element names (`Item`) or full paths (`Order/Items/Item`) whose value is always an array. */
  readonly arrays: readonly string[];
  readonly trim: boolean;
}

const textKey = "#text";
const attributesKey = ":@";
const decodable = /&(?:#x([0-9A-Fa-f]+)|#([0-9]+)|(amp|lt|gt|quot|apos));/g;
const predefined: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

const decode = (text: string): string =>
  text.replace(decodable, (_, hex?: string, decimal?: string, name = "") =>
    hex === undefined && decimal === undefined
      ? (predefined[name] ?? "")
      : String.fromCodePoint(hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)),
  );

const nothing = (): void => undefined;

/**
 * The element tree of well-formed text (`scanXml` first) as JSON, and how many elements it holds.
 * An element is its text, or an object of `prefix + attribute`, child names and `#text`. All values are
 * text; siblings of one name become an array; CDATA is text; white space between elements is dropped.
 */
export function buildXmlTree(text: string, shape: XmlShape): { value: Json; elements: number } {
  const parser = new XMLParser({
    preserveOrder: true,
    ignoreAttributes: false,
    attributeNamePrefix: shape.attributePrefix,
    removeNSPrefix: shape.removeNamespaces,
    parseTagValue: false,
    parseAttributeValue: false,
    trimValues: false,
    ignoreDeclaration: true,
    ignorePiTags: true,
    maxNestedTags: Number.MAX_SAFE_INTEGER, // scanXml has bounded it
    processEntities: true,
    onDangerousProperty: (name) => name, // only ever own keys of fresh objects here
    jPath: false,
    entityDecoder: {
      decode,
      setExternalEntities: nothing,
      addInputEntities: nothing,
      reset: nothing,
      setXmlVersion: nothing,
    },
  });
  // preserveOrder gives [{ name: [children], ":@": { attributes } } | { "#text": text }]
  const nodes = parser.parse(text) as readonly OrderedNode[]; // the documented shape of preserveOrder
  const build: Build = { shape, arrays: new Set(shape.arrays.map((a) => a.replace(/^\//, ""))), elements: 0 };
  return { value: contentOf(nodes, undefined, "", build), elements: build.elements };
}

type OrderedNode = { readonly [name: string]: unknown };
interface Build {
  readonly shape: XmlShape;
  readonly arrays: ReadonlySet<string>;
  elements: number;
}

function contentOf(
  nodes: readonly OrderedNode[],
  attributes: Readonly<Record<string, string>> | undefined,
  path: string,
  build: Build,
): Json {
  const content: { [key: string]: Json } = { ...attributes };
  let text = "";
  let children = 0;
  for (const node of nodes) {
    const name = Object.keys(node).find((key) => key !== attributesKey);
    if (name === undefined) continue;
    if (name === textKey) {
      text += String(node[textKey]);
      continue;
    }
    children++;
    build.elements++;
    const childPath = path === "" ? name : `${path}/${name}`;
    const value = contentOf(
      node[name] as readonly OrderedNode[], // children of an element, by preserveOrder
      node[attributesKey] as Record<string, string> | undefined, // attributes of an element, by preserveOrder
      childPath,
      build,
    );
    place(content, name, value, build.arrays.has(name) || build.arrays.has(childPath));
  }
  const kept = children > 0 && text.trim() === "" ? "" : build.shape.trim ? text.trim() : text;
  if (children === 0 && attributes === undefined) return kept;
  if (kept !== "") content[textKey] = kept;
  return content;
}

function place(content: { [key: string]: Json }, name: string, value: Json, always: boolean): void {
  const present = Object.hasOwn(content, name) ? content[name] : undefined;
  if (Array.isArray(present)) present.push(value);
  else if (present !== undefined) content[name] = [present, value];
  else content[name] = always ? [value] : value;
}
