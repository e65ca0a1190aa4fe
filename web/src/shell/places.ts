/** Where one can go: the navigation, the palette and the `g` keys are made from this one list. */
export const places = [
  { to: "/", name: "Overview", key: "o" },
  { to: "/jobs", name: "Jobs", key: "j" },
  { to: "/runs", name: "Runs", key: "r" },
  { to: "/approvals", name: "Approvals", key: "a" },
  { to: "/archive", name: "Archive", key: "c" },
  { to: "/backups", name: "Backups", key: "b" },
  { to: "/holds", name: "Holds and freezes", key: "h" },
  { to: "/notifications", name: "Notifications", key: "n" },
  { to: "/ledger", name: "Ledger", key: "l" },
  { to: "/people", name: "Users and tokens", key: "u" },
  { to: "/configuration", name: "Configuration", key: "s" },
] as const;
