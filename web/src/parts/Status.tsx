/** A state in words, colour and form: colour is never the only sign. */
const tones = {
  good: "bg-good-soft text-good",
  warn: "bg-warn-soft text-warn",
  bad: "bg-bad-soft text-bad",
  calm: "bg-calm-soft text-calm",
  plain: "bg-raised text-muted",
} as const;
export type Tone = keyof typeof tones;

const forms: Record<string, { tone: Tone; sign: string; words?: string }> = {
  succeeded: { tone: "good", sign: "✓" },
  running: { tone: "calm", sign: "▸" },
  queued: { tone: "calm", sign: "…" },
  waiting: { tone: "warn", sign: "?", words: "waiting for approval" },
  partial: { tone: "warn", sign: "◐", words: "partly done" },
  failed: { tone: "bad", sign: "✕" },
  refused: { tone: "bad", sign: "⊘" },
  interrupted: { tone: "bad", sign: "⚡︎" },
  cancelled: { tone: "plain", sign: "■" },
  not_configured: { tone: "plain", sign: "○", words: "not configured" },
  off: { tone: "plain", sign: "○" },
  paused: { tone: "warn", sign: "❙❙" },
  frozen: { tone: "warn", sign: "❄︎" },
  ready: { tone: "good", sign: "✓" },
  never: { tone: "plain", sign: "–", words: "never ran" },
  approved: { tone: "good", sign: "✓" },
  used: { tone: "good", sign: "✓", words: "approved, carried out" },
  rejected: { tone: "bad", sign: "✕" },
  expired: { tone: "plain", sign: "⌛︎" },
  withdrawn: { tone: "plain", sign: "■" },
  restored: { tone: "good", sign: "✓", words: "restored and compared" },
  read: { tone: "calm", sign: "✓", words: "read and hashed" },
  "not proved": { tone: "plain", sign: "○" },
  bad: { tone: "bad", sign: "✕" },
  sent: { tone: "good", sign: "✓" },
  waits: { tone: "calm", sign: "…", words: "on its way" },
  tried: { tone: "warn", sign: "↻", words: "not yet taken" },
  "given up": { tone: "bad", sign: "✕" },
  removed: { tone: "plain", sign: "−" },
  moved: { tone: "calm", sign: "→" },
  stayed: { tone: "warn", sign: "=" },
  fired: { tone: "good", sign: "✓" },
  missed: { tone: "bad", sign: "!" },
};

export const toneOf = (status: string): Tone => forms[status]?.tone ?? "plain";
export const wordsOf = (status: string) => forms[status]?.words ?? status.replaceAll(/[_-]/g, " ");

export function Status({ is }: { is: string }) {
  const form = forms[is] ?? { tone: "plain" as const, sign: "·" };
  return (
    <span className={`inline-flex items-center gap-1.5 whitespace-nowrap rounded-full px-2 py-0.5 text-[0.8125rem] font-medium ${tones[form.tone]}`}>
      <span aria-hidden="true">{form.sign}</span>
      {wordsOf(is)}
    </span>
  );
}

export function Badge({ tone, children }: { tone: Tone; children: React.ReactNode }) {
  return <span className={`inline-block whitespace-nowrap rounded-full px-2 py-0.5 text-[0.8125rem] font-medium ${tones[tone]}`}>{children}</span>;
}
