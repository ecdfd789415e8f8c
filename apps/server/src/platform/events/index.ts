export {
  type EventGroup,
  type EventSpec,
  type EventType,
  eventCatalogue,
  eventTypes,
  gravity,
  isEventType,
  type Severity,
  severities,
} from "./catalogue.ts";
export type { EventActor, EventDraft, EventOrigin, EventTarget, SecurityEvent } from "./domain.ts";
export { retireEvents } from "./retention.ts";
export type { EventListener } from "./router.ts";
export {
  createSecurityEvents,
  type SecurityEvents,
  type SecurityEventsDeps,
  type ShownEvent,
  shownEvent,
} from "./service.ts";
export type { EventFilter, EventPage } from "./store.ts";
