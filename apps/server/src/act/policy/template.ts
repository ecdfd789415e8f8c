/**
 * Templates: policies whose scope has holes (`?principal`, `?resource`) that grants fill. A grant is bound
 * without the engine: a template is cut once where its holes are, and the entity is written in between.
 */

import type { PolicyJson } from "./compile.ts";
import type { CompiledPolicy, CompiledTemplate, EntityRef, Slot, SlotUse } from "./domain.ts";
import type { Engine } from "./engine.ts";

const literal = /"(?:[^"\\]|\\.)*"|\/\/[^\n\r]*/gsu;

/** Cedar allows holes in the scope alone; strings and comments may hold anything. */
export const hasSlots = (text: string): boolean =>
  /\?(principal|resource)\b/.test(text.replaceAll(literal, ""));

type Scope = PolicyJson["principal"] | PolicyJson["resource"];

const markType = "Oars::Slot";
const markText = (slot: Slot["slot"]): string => `${markType}::"${slot}"`;

/** Cuts the engine's own text of the template. The mark is a type that no schema has, so no policy names it. */
export function cutTemplate(engine: Engine, json: PolicyJson): Pick<CompiledTemplate, "pieces" | "slots"> {
  const slots = { principal: useOf(json.principal), resource: useOf(json.resource) };
  const marked = {
    ...json,
    principal: marking(json.principal, "principal"),
    resource: marking(json.resource, "resource"),
  } as PolicyJson; // the same shape with an entity in place of the hole
  const answer = engine.use((cedar) => cedar.policyToText(marked));
  if (answer.type === "failure") throw new Error(answer.errors.map((error) => error.message).join("; "));
  let pieces: (string | Slot)[] = [answer.text];
  for (const slot of ["principal", "resource"] as const) {
    if (slots[slot] === null) continue;
    pieces = pieces.flatMap((piece) => (typeof piece === "string" ? splitAt(piece, slot) : [piece]));
  }
  return { pieces, slots };
}

function splitAt(text: string, slot: Slot["slot"]): (string | Slot)[] {
  const [before, after, more] = text.split(markText(slot));
  if (before === undefined || more !== undefined)
    throw new Error("a hole of a template is not where it belongs");
  return after === undefined ? [before] : [before, { slot }, after];
}

function useOf(scope: Scope): SlotUse | null {
  if (scope.op === "==" && "slot" in scope) return "==";
  if (scope.op === "in" && "slot" in scope) return "in";
  if (scope.op === "is" && scope.in && "slot" in scope.in) return "in";
  return null;
}

function marking(scope: Scope, slot: Slot["slot"]): Scope {
  const entity = { type: markType, id: slot };
  if ((scope.op === "==" || scope.op === "in") && "slot" in scope) return { op: scope.op, entity } as Scope; // an entity where the hole was
  if (scope.op === "is" && scope.in && "slot" in scope.in) return { ...scope, in: { entity } };
  return scope;
}

export interface Filling {
  readonly principal: EntityRef | null;
  readonly resource: EntityRef | null;
}

/** The policy that a grant makes of a template. Its id names both: `template@grant`. */
export function bindTemplate(template: CompiledTemplate, grant: string, filling: Filling): CompiledPolicy {
  const { pieces, slots, ...policy } = template;
  const text = pieces
    .map((piece) => {
      if (typeof piece === "string") return piece;
      const entity = filling[piece.slot];
      if (entity === null) throw new Error(`the ${piece.slot} of a grant is missing`);
      return `${entity.type}::${JSON.stringify(entity.id)}`;
    })
    .join("");
  const resource = slots.resource === null ? template.resource : filling.resource;
  return { ...policy, id: `${template.id}@${grant}`, text, resource };
}

const ofPrincipal = ["Oars::User", "Oars::Agent", "Oars::Service"];
const ofResource = ["Oars::Tool"];
const groups = {
  principal: ["Oars::Role", "Oars::Group"],
  resource: ["Oars::Connector", "Oars::Environment", "Oars::ToolGroup"],
};

/** What is wrong with a filling, in sentences. */
export function fillingProblems(
  template: CompiledTemplate,
  filling: Filling,
): { path: string; message: string }[] {
  return (["principal", "resource"] as const).flatMap((slot) => {
    const use = template.slots[slot];
    const entity = filling[slot];
    if (use === null)
      return entity === null
        ? []
        : [{ path: slot, message: `Template ${template.id} has no ?${slot} to fill.` }];
    if (entity === null) return [{ path: slot, message: `Template ${template.id} needs a ${slot}.` }];
    const own = slot === "principal" ? ofPrincipal : ofResource;
    const fit = use === "==" ? own : [...own, ...groups[slot]];
    if (fit.includes(entity.type)) return [];
    return [
      { path: slot, message: `?${slot} of ${template.id} takes ${fit.join(", ")}; not ${entity.type}.` },
    ];
  });
}
