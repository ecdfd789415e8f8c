export {
  createInterop,
  type Export,
  type ExportFormat,
  type Interop,
  type InteropDeps,
  mediaTypes,
} from "./service.ts";
