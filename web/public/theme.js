// Before the first paint, so that nobody who chose dark sees a white flash. A file of its own: the pages' policy allows no inline script.
{
  const theme = localStorage.getItem("steward.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
}
