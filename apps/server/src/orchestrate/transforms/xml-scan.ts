/**
 * Well-formedness of XML text, in one linear pass, with the offset of the first fault.
 * Hostile input enters here: document types are refused (so there are no entities to expand and nothing
 * external to load), nesting is bounded before anything is built, references must be predefined or numeric.
 * Follows XML 1.0 §2 and Namespaces in XML 1.0 §4 (at most one colon in a name); whether a prefix is
 * declared is not checked.
 */
import { describePosition, positionAt } from "./source-position.ts";
import { limits } from "./transform.ts";

export interface XmlFault {
  readonly ok: false;
  readonly code: string;
  readonly message: string;
  readonly offset: number;
}
export type XmlScan = { readonly ok: true; readonly elements: number } | XmlFault;

const start =
  "A-Z_a-z\\u00C0-\\u00D6\\u00D8-\\u00F6\\u00F8-\\u02FF\\u0370-\\u037D\\u037F-\\u1FFF\\u200C\\u200D\\u2070-\\u218F\\u2C00-\\u2FEF\\u3001-\\uD7FF\\uF900-\\uFDCF\\uFDF0-\\uFFFD";
const part = `[${start}][${start}\\-.0-9\\u00B7\\u0300-\\u036F\\u203F\\u2040]*`;
const name = `${part}(?::${part})?`;
const sticky = {
  open: new RegExp(`<(${name})`, "y"),
  close: new RegExp(`</(${name})\\s*>`, "y"),
  attribute: new RegExp(`\\s+(${name})\\s*=\\s*("[^"<]*"|'[^'<]*')`, "y"),
  end: /\s*(\/?)>/y,
} as const;
const reference = new RegExp(`&(?:#([0-9]{1,8});|#x([0-9A-Fa-f]{1,8});|(${part});)?`, "y");
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters XML 1.0 §2.2 leaves out
const forbiddenCharacter = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]|\p{Surrogate}/u;
const predefined = new Set(["amp", "lt", "gt", "quot", "apos"]);
/** Names that the tree builder cannot hold safely as keys. */
const forbiddenNames = new Set(["__proto__", "constructor", "prototype"]);
const localName = (qualified: string): string => qualified.slice(qualified.indexOf(":") + 1);

const fault = (offset: number, message: string, code = "XML_MALFORMED"): XmlFault => ({
  ok: false,
  code,
  message,
  offset,
});

interface Scan {
  readonly text: string;
  readonly removeNamespaces: boolean;
  readonly open: { name: string; offset: number }[];
  elements: number;
  at: number;
  /** The first `&` not before what has been checked, so that finding references stays one pass. */
  ampersand: number;
}

/** Whether `text` (without byte order mark) is one well-formed element with what may surround it. */
export function scanXml(text: string, removeNamespaces: boolean): XmlScan {
  const bad = forbiddenCharacter.exec(text);
  if (bad !== null) {
    const codePoint = text.charCodeAt(bad.index).toString(16).toUpperCase().padStart(4, "0");
    return fault(bad.index, `The character U+${codePoint} is not allowed in XML`, "XML_CHARACTER");
  }
  const scan: Scan = { text, removeNamespaces, open: [], elements: 0, at: 0, ampersand: -1 };
  while (scan.at < text.length) {
    const lt = text.indexOf("<", scan.at);
    const wrong = checkText(scan, lt < 0 ? text.length : lt) ?? (lt < 0 ? undefined : readMarkup(scan, lt));
    if (wrong !== undefined) return wrong;
    if (lt < 0) break;
  }
  const unclosed = scan.open.at(-1);
  if (unclosed !== undefined) {
    const end = describePosition(positionAt(text, text.length));
    return fault(unclosed.offset, `<${unclosed.name}> is never closed; the text ends at ${end}`);
  }
  if (scan.elements === 0) {
    return text.trim() === ""
      ? fault(0, "The text is empty; expected an XML document", "XML_EMPTY")
      : fault(text.length, "There is no root element");
  }
  return { ok: true, elements: scan.elements };
}

function checkText(scan: Scan, end: number): XmlFault | undefined {
  if (scan.open.length > 0) return checkReferences(scan, scan.at, end);
  const stray = scan.text.slice(scan.at, end).search(/[^ \t\r\n]/);
  if (stray < 0) return undefined;
  const place = scan.elements === 0 ? "before" : "after";
  return fault(scan.at + stray, `There is text ${place} the root element`);
}

function readMarkup(scan: Scan, lt: number): XmlFault | undefined {
  const { text } = scan;
  if (text.startsWith("<!--", lt)) return skip(scan, lt, lt + 4, "-->", "The comment is never closed");
  if (text.startsWith("<![CDATA[", lt)) {
    if (scan.open.length === 0) return fault(lt, "A CDATA section must be inside the root element");
    return skip(scan, lt, lt + 9, "]]>", "The CDATA section is never closed");
  }
  if (text.startsWith("<!DOCTYPE", lt)) {
    return fault(
      lt,
      "Document types (<!DOCTYPE …>) are not accepted; remove the declaration",
      "XML_DOCTYPE_FORBIDDEN",
    );
  }
  if (text.startsWith("<?", lt)) {
    if (lt > 0 && /^xml[\s?]/i.test(text.slice(lt + 2, lt + 6))) {
      return fault(lt, "The XML declaration must be the very first thing in the text");
    }
    return skip(scan, lt, lt + 2, "?>", "The processing instruction is never closed");
  }
  return text[lt + 1] === "/" ? readClose(scan, lt) : readOpen(scan, lt);
}

function skip(scan: Scan, lt: number, from: number, end: string, complaint: string): XmlFault | undefined {
  const found = scan.text.indexOf(end, from);
  if (found < 0) return fault(lt, complaint);
  scan.at = found + end.length;
  return undefined;
}

function readClose(scan: Scan, lt: number): XmlFault | undefined {
  const tag = match(sticky.close, scan.text, lt);
  if (tag === null) return fault(lt, "The closing tag is not complete");
  const opened = scan.open.pop();
  if (opened === undefined) return fault(lt, `</${tag[1]}> closes nothing`);
  if (opened.name !== tag[1]) {
    const where = describePosition(positionAt(scan.text, opened.offset));
    return fault(lt, `Expected </${opened.name}> for the element opened at ${where}, found </${tag[1]}>`);
  }
  scan.at = lt + tag[0].length;
  return undefined;
}

function readOpen(scan: Scan, lt: number): XmlFault | undefined {
  const tag = match(sticky.open, scan.text, lt);
  const qualified = tag?.[1];
  if (tag === null || qualified === undefined) {
    return fault(lt, "`<` starts no tag here; write &lt; if it is meant as text");
  }
  if (scan.open.length === 0 && scan.elements > 0) {
    return fault(lt, `<${qualified}> is a second root element; XML has one`);
  }
  if (scan.open.length >= limits.depth) {
    return fault(lt, `Elements are nested deeper than ${limits.depth} levels`, "XML_TOO_DEEP");
  }
  const key = scan.removeNamespaces ? localName(qualified) : qualified;
  if (forbiddenNames.has(key)) return fault(lt, `The name ${key} is not accepted`, "XML_NAME_FORBIDDEN");
  scan.elements++;
  scan.at = lt + tag[0].length;
  const wrong = readAttributes(scan, qualified);
  if (wrong !== undefined) return wrong;
  const end = match(sticky.end, scan.text, scan.at);
  if (end === null)
    return fault(scan.at, `The tag <${qualified}> is broken here: expected name="value", / or >`);
  scan.at += end[0].length;
  if (end[1] === "") scan.open.push({ name: qualified, offset: lt });
  return undefined;
}

function readAttributes(scan: Scan, element: string): XmlFault | undefined {
  let seen: Set<string> | undefined;
  for (;;) {
    const found = match(sticky.attribute, scan.text, scan.at);
    const qualified = found?.[1];
    if (found === null || qualified === undefined) return undefined;
    const at = scan.at + found[0].indexOf(qualified);
    const isNamespace = qualified === "xmlns" || qualified.startsWith("xmlns:");
    const key = scan.removeNamespaces && !isNamespace ? localName(qualified) : qualified;
    seen ??= new Set();
    if (seen.has(key))
      return fault(at, `<${element}> has two attributes named ${key}`, "XML_ATTRIBUTE_REPEATED");
    seen.add(key);
    const next = scan.at + found[0].length;
    const wrong = checkReferences(scan, at, next);
    if (wrong !== undefined) return wrong;
    scan.at = next;
  }
}

function checkReferences(scan: Scan, from: number, to: number): XmlFault | undefined {
  for (let at = nextAmpersand(scan, from); at < to; at = nextAmpersand(scan, at + 1)) {
    reference.lastIndex = at;
    const [whole = "&", decimal, hex, entity] = reference.exec(scan.text) ?? [];
    if (entity !== undefined && !predefined.has(entity)) {
      return fault(at, `${whole} is not defined in XML; write the character itself`, "XML_ENTITY_UNKNOWN");
    }
    if (entity !== undefined) continue;
    if (decimal === undefined && hex === undefined) return fault(at, "A lone `&` must be written &amp;");
    if (!isXmlCharacter(decimal === undefined ? Number.parseInt(hex ?? "", 16) : Number(decimal))) {
      return fault(at, `${whole} is not a character that XML allows`, "XML_CHARACTER");
    }
  }
  return undefined;
}

function nextAmpersand(scan: Scan, from: number): number {
  if (scan.ampersand < from) {
    const found = scan.text.indexOf("&", from);
    scan.ampersand = found < 0 ? Number.POSITIVE_INFINITY : found;
  }
  return scan.ampersand;
}

const isXmlCharacter = (c: number): boolean =>
  c === 9 ||
  c === 10 ||
  c === 13 ||
  (c >= 0x20 && c <= 0xd7ff) ||
  (c >= 0xe000 && c <= 0xfffd) ||
  (c >= 0x10000 && c <= 0x10ffff);

function match(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}
