/** What each built-in job does, in a sentence. */
const titles: Record<string, string> = {
  cleanup: "Archives and deletes what has become old: rows, their files, log files, objects.",
  backup: "Dumps the PostgreSQL database to its bucket every night, and proves that it restores.",
  "rotate-logs": "Moves log files aside, so that none grows without end, and removes old archives.",
  "analyze-query-plans": "Looks at the plans of the slowest statements.",
  "rotate-secrets": "Replaces secrets, after a person has approved it.",
  "update-dependencies": "Keeps dependencies current, by pull requests that pass the whole suite.",
};
export const titleOf = (job: string) => titles[job] ?? "";
