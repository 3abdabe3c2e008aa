/** Why a connection could not be had, in plain words. */
import { TroveError } from "../base/errors.ts";

/** @param allowed The permission that dialling there takes. */
export function dialFailure(error: unknown, allowed = "--allow-net"): string {
  if (error instanceof TroveError) return error.message;
  if (error instanceof Deno.errors.ConnectionRefused) return "connection refused";
  if (error instanceof Deno.errors.NotCapable) return `not permitted (run with ${allowed})`;
  const text = error instanceof Error ? error.message : String(error);
  if (/lookup|resolve|Name or service not known/i.test(text)) return "no such host";
  return text.replace(/ \(os error \d+\)$/, "").toLowerCase();
}
