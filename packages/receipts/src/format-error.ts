/** Text or bytes that do not have the form they claim. Verifiers turn it into an `undecidable` or `failed` check. */
export class FormatError extends Error {
  override readonly name = "FormatError";
}
