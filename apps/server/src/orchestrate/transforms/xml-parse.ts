import { array, boolean, strictObject, string, unknown } from "zod";
import { describePosition, positionAt } from "./source-position.ts";
import { defineTransform, failure, success, textInput } from "./transform.ts";
import { scanXml } from "./xml-scan.ts";
import { buildXmlTree } from "./xml-tree.ts";

const config = strictObject({
  text: unknown(),
  removeNamespaces: boolean().default(true),
  attributePrefix: string()
    .regex(/^[@$%~!+*^][\w$@-]{0,7}$/, "start it with one of @ $ % ~ ! + * ^, which no XML name holds")
    .default("@"),
  arrays: array(string().min(1)).max(1000).default([]),
  trim: boolean().default(true),
});

/**
 * XML text to JSON. Every value stays text (leading zeros survive); convert with `map`.
 * Fails with XML_EMPTY, XML_MALFORMED, XML_DOCTYPE_FORBIDDEN, XML_TOO_DEEP, XML_ENTITY_UNKNOWN,
 * XML_CHARACTER, XML_NAME_FORBIDDEN, XML_ATTRIBUTE_REPEATED (all with line and column), XML_UNSUPPORTED.
 */
export const xmlParse = defineTransform({
  name: "xml.parse",
  config,
  run(options) {
    const text = textInput(options.text, "xml.parse");
    if (typeof text !== "string") return text;
    const scan = scanXml(text, options.removeNamespaces);
    if (!scan.ok) {
      const where = positionAt(text, scan.offset);
      return failure(scan.code, `${scan.message} (${describePosition(where)}).`, where);
    }
    const unsupported =
      "The XML is well-formed, but holds a construct that cannot be read, such as quotes in a processing instruction.";
    try {
      const tree = buildXmlTree(text, options);
      // The scanner and the parser must have seen the same elements, else something was swallowed.
      return tree.elements === scan.elements ? success(tree.value) : failure("XML_UNSUPPORTED", unsupported);
    } catch (error) {
      const reason = error instanceof Error ? ` (${error.message.slice(0, 200)})` : "";
      return failure("XML_UNSUPPORTED", unsupported + reason);
    }
  },
});
