/** What takes longer than a request: started, then asked after until its document is there. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { ApiError } from "./client";
import type { Failure, Operation } from "./documents";
import { hasEnded, operation } from "./queries";

export interface Started<T> {
  start: () => void;
  reset: () => void;
  isBusy: boolean;
  /** Its document, once it has succeeded. */
  result: T | undefined;
  /** Of the request, or of the operation. */
  error: ApiError | undefined;
}

export function useOperation<T>(begin: () => Promise<Operation>, stale: string[] = []): Started<T> {
  const [id, setId] = useState<string>();
  const queries = useQueryClient();
  const begun = useMutation({ mutationFn: begin, onSuccess: (started) => setId(started.id) });
  const found = useQuery({
    ...operation(id ?? ""),
    enabled: id !== undefined,
  });
  const ended = id !== undefined && hasEnded(found.data) ? found.data : undefined;
  const succeeded = ended?.state === "succeeded";
  const keys = stale.join(" ");
  useEffect(() => {
    if (succeeded) for (const key of keys.split(" ")) void queries.invalidateQueries({ queryKey: [key] });
  }, [succeeded, keys, queries]);
  return {
    start: () => {
      setId(undefined);
      begun.mutate();
    },
    reset: () => {
      setId(undefined);
      begun.reset();
    },
    isBusy: begun.isPending || (id !== undefined && !ended && !found.error),
    result: succeeded ? (ended.result as T) : undefined,
    error: asError(begun.error) ?? asError(found.error) ?? (ended?.state === "failed" ? failed(ended.error) : undefined),
  };
}

const asError = (error: unknown) => (error instanceof ApiError ? error : undefined);
function failed(failure: Failure | null): ApiError {
  return new ApiError({ status: 0, kind: failure?.kind ?? "bug", detail: failure?.message ?? "it failed without a word", ...(failure?.hint ? { hint: failure.hint } : {}), ...(failure?.code ? { code: failure.code } : {}) });
}
