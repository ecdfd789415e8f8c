export { type BlobReference, looksLikeReference, referenceIn, referenceText } from "./reference.ts";
export { type Blobs, createBlobs, inlineLimit } from "./service.ts";
export { type BlobOwner, deleteBlobsOf } from "./store.ts";
